//! Sending through FCM.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::{Address, ConfigError, FcmConfig, Prepared, Push, Service};
use crate::fcm;
use crate::io::{Client, CredentialFile, Filter, OAuth, OAuthError, ServiceAccount};
use crate::limits::TOKEN_BYTES_MAX;
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::secret::Secret;

pub(super) struct Fcm {
    account: CredentialFile<ServiceAccount>,
    oauth: OAuth,
    origin: Origin,
}

impl Fcm {
    pub(super) async fn new(
        config: FcmConfig,
        client: Arc<Client>,
        may_be_plain: bool,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            account: CredentialFile::open(config.service_account, ServiceAccount::parse).await?,
            oauth: OAuth::new(client, may_be_plain),
            origin: config.origin,
        })
    }

    pub(super) async fn prepare(&self, push: &Push, now_s: u64) -> Result<Prepared, Outcome> {
        let Address::Fcm { token } = &push.address else {
            return Err(Outcome::refused("wrong_kind"));
        };
        let send = fcm::Send {
            token,
            ids: &push.ids,
            ttl_s: push.ttl_s,
            now_s,
            validate_only: push.validate_only,
        };
        let body = fcm::body(&push.message, &send);
        // First, whatever the address is: it is the same for every device.
        let body = body.map_err(|_| Outcome::too_large())?;
        // Not the service's word, so the token stays.
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(Outcome::refused("invalid_token_length"));
        }
        let account = self.account.current().await;
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Prepared {
            origin: self.origin.clone(),
            filter: Filter::Any,
            path: fcm::path(&account.value.project).map_err(Outcome::Stop)?,
            headers,
            body,
            classify: fcm::classify,
            // A new credential is not held for the old one's sins.
            hold: format!("fcm {}", account.generation),
        })
    }
}

impl Service for Fcm {
    async fn authorization(&self, _: &Origin, _: u64) -> Result<Secret, Outcome> {
        let account = self.account.current().await;
        match self.oauth.get(&account.value, account.generation).await {
            Ok(header) => Ok(header),
            Err(OAuthError::Refused(reason)) => Err(Outcome::Stop(reason)),
            Err(OAuthError::Failed { reason, wait }) => Err(Outcome::Hold { reason, wait }),
        }
    }

    async fn renew(&self, _: &Origin, refused: &Secret, _: u64) -> bool {
        self.oauth.discard(refused);
        true
    }
}
