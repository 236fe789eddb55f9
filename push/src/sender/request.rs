//! What is to be sent: a message, and where it goes.

use std::sync::Arc;

use crate::apns::Environment;
use crate::collapse::Ids;
use crate::message::Message;
use crate::metrics::Kind;

/// Where a push goes.
#[derive(Clone)]
pub enum Address {
    Fcm { token: String },
    WebPush { endpoint: String, p256dh: String, auth: String },
    Apns { token: String, topic: String, environment: Environment },
}

impl Address {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Address::Fcm { .. } => Kind::Fcm,
            Address::WebPush { .. } => Kind::WebPush,
            Address::Apns { .. } => Kind::Apns,
        }
    }
}

/// Addresses are permissions to send, so no log shows them.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

/// One push to one device.
#[derive(Clone, Debug)]
pub struct Push {
    pub address: Address,
    pub message: Arc<Message>,
    pub ids: Ids,
    /// What is left of the TTL, for which the service keeps the push.
    pub ttl_s: u64,
    /// FCM only: check and send nothing.
    pub validate_only: bool,
}
