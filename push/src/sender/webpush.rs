//! Sending through the browsers' push services.

use std::sync::Arc;

use super::{Address, ConfigError, Prepared, Push, Service, WebPushConfig};
use crate::io::{CredentialFile, Filter};
use crate::jwt::Es256;
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::secret::Secret;
use crate::webpush::{self, Allowed, Endpoint, Keys, Vapid};

pub(super) struct WebPush {
    key: CredentialFile<Es256>,
    subject: String,
    allowed: Allowed,
    /// The tokens of the current key.
    vapid: parking_lot::Mutex<Option<(u64, Arc<Vapid>)>>,
}

impl WebPush {
    pub(super) async fn new(config: WebPushConfig) -> Result<Self, ConfigError> {
        webpush::check_subject(&config.subject)
            .map_err(|problem| ConfigError::Invalid(problem.to_owned()))?;
        let parse = |text: &str| Es256::parse(text).map_err(|error| error.to_string());
        Ok(Self {
            key: CredentialFile::open(config.key, parse).await?,
            subject: config.subject,
            allowed: config.allowed,
            vapid: parking_lot::Mutex::default(),
        })
    }

    pub(super) async fn public_key(&self) -> String {
        self.key.current().await.value.public()
    }

    pub(super) async fn prepare(&self, push: &Push) -> Result<Prepared, Outcome> {
        let Address::WebPush { endpoint, p256dh, auth } = &push.address else {
            return Err(Outcome::refused("wrong_kind"));
        };
        // First, whatever the address is: it is the same for every device.
        let text = webpush::text(&push.message, &push.ids).map_err(|_| Outcome::too_large())?;
        let endpoint = Endpoint::parse(endpoint, &self.allowed)
            .map_err(|error| Outcome::refused(error.reason()))?;
        let keys = Keys::parse(p256dh, auth).map_err(|error| Outcome::refused(error.reason()))?;
        let headers = webpush::headers(&endpoint, &push.message, &push.ids, push.ttl_s)
            .map_err(Outcome::refused)?;
        let body =
            webpush::encrypt(&keys, &text).map_err(|error| Outcome::refused(error.reason()))?;
        let generation = self.key.current().await.generation;
        let filter = if endpoint.is_loopback() { Filter::Loopback } else { Filter::Public };
        Ok(Prepared {
            filter,
            path: endpoint.path().to_owned(),
            headers,
            body,
            classify: webpush::classify,
            // One maker's service that asks for a pause says nothing about the others.
            hold: format!("webpush {generation} {}", endpoint.origin()),
            origin: endpoint.origin().clone(),
        })
    }

    async fn vapid(&self) -> Result<Arc<Vapid>, Outcome> {
        let key = self.key.current().await;
        let mut vapid = self.vapid.lock();
        if let Some((generation, vapid)) = vapid.as_ref()
            && *generation == key.generation
        {
            return Ok(vapid.clone());
        }
        let new = Arc::new(
            Vapid::new(key.value.clone(), &self.subject)
                .map_err(|_| Outcome::Stop("invalid_subject"))?,
        );
        *vapid = Some((key.generation, new.clone()));
        Ok(new)
    }
}

impl Service for WebPush {
    async fn authorization(&self, origin: &Origin, now_s: u64) -> Result<Secret, Outcome> {
        let vapid = self.vapid().await?;
        vapid.authorization(origin, now_s).map_err(|_| Outcome::Stop("cannot_sign"))
    }

    async fn renew(&self, origin: &Origin, refused: &Secret, _: u64) -> bool {
        if let Ok(vapid) = self.vapid().await {
            vapid.renew(origin, refused);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collapse::Ids;
    use crate::jwt::tests::pkcs8_pem;

    #[tokio::test]
    async fn a_client_s_host_must_be_public_and_loopback_is_for_development() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("vapid.pem");
        std::fs::write(&key, pkcs8_pem()).unwrap();
        let p256dh = Es256::parse(&pkcs8_pem()).unwrap().public();
        let filter = async |endpoint: &str, allowed: Allowed| {
            let (key, subject) = (key.clone(), "mailto:ops@example.com".to_owned());
            let webpush = WebPush::new(WebPushConfig { key, subject, allowed }).await.unwrap();
            let push = Push {
                address: Address::WebPush {
                    endpoint: endpoint.to_owned(),
                    p256dh: p256dh.clone(),
                    auth: "BTBZMqHH6r4Tts7J_aSIgg".into(),
                },
                message: Arc::default(),
                ids: Ids::new("n1", "alice", "laptop", None),
                ttl_s: 60,
                validate_only: false,
            };
            webpush.prepare(&push).await.map(|prepared| prepared.filter).ok()
        };
        let maker = "https://web.push.apple.com/x";
        assert_eq!(filter(maker, Allowed::default()).await, Some(Filter::Public));
        let development = Allowed::default().with_loopback();
        assert_eq!(filter(maker, development.clone()).await, Some(Filter::Public));
        assert_eq!(filter("http://localhost/x", development).await, Some(Filter::Loopback));
        assert_eq!(filter("http://localhost/x", Allowed::default()).await, None);
    }
}
