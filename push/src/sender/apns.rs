//! Sending through APNs.

use std::sync::Arc;

use super::{Address, ApnsConfig, ConfigError, Environment, Prepared, Push, Service};
use crate::apns::{self, ProviderToken};
use crate::io::{CredentialFile, Filter};
use crate::jwt::Es256;
use crate::origin::{Origin, Scheme};
use crate::outcome::Outcome;
use crate::secret::Secret;

pub(super) struct Apns {
    key: CredentialFile<Es256>,
    config: ApnsConfig,
    /// The token of the current key.
    token: parking_lot::Mutex<Option<(u64, Arc<ProviderToken>)>>,
}

impl Apns {
    pub(super) async fn new(config: ApnsConfig, may_be_plain: bool) -> Result<Self, ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if config.topics.is_empty() {
            return invalid("APNs needs at least one topic");
        }
        let is_plain = |origin: &Origin| origin.scheme() == Scheme::Http;
        if !may_be_plain && (is_plain(&config.production) || is_plain(&config.sandbox)) {
            return invalid("APNs needs https");
        }
        let parse = |text: &str| Es256::parse(text).map_err(|error| error.to_string());
        let key = CredentialFile::open(config.key.clone(), parse).await?;
        Ok(Self { key, config, token: parking_lot::Mutex::default() })
    }

    pub(super) async fn prepare(&self, push: &Push, now_s: u64) -> Result<Prepared, Outcome> {
        let Address::Apns { token, topic, environment } = &push.address else {
            return Err(Outcome::refused("wrong_kind"));
        };
        // First, whatever the address is: it is the same for every device.
        let body = apns::body(&push.message).map_err(|_| Outcome::too_large())?;
        if !self.config.topics.contains(topic) {
            return Err(Outcome::refused("topic_not_allowed"));
        }
        let origin = match environment {
            Environment::Production => &self.config.production,
            Environment::Sandbox => &self.config.sandbox,
        };
        let generation = self.key.current().await.generation;
        Ok(Prepared {
            origin: origin.clone(),
            filter: Filter::Any,
            path: apns::path(token).map_err(Outcome::refused)?,
            headers: apns::headers(&push.message, topic, &push.ids, push.ttl_s, now_s)
                .map_err(Outcome::refused)?,
            body,
            classify: apns::classify,
            hold: format!("apns {generation} {origin}"),
        })
    }

    async fn token(&self) -> Arc<ProviderToken> {
        let key = self.key.current().await;
        let mut token = self.token.lock();
        if let Some((generation, token)) = token.as_ref()
            && *generation == key.generation
        {
            return token.clone();
        }
        let (key_id, team_id) = (self.config.key_id.clone(), self.config.team_id.clone());
        let new = Arc::new(ProviderToken::new(key.value.clone(), key_id, team_id));
        *token = Some((key.generation, new.clone()));
        new
    }
}

impl Service for Apns {
    async fn authorization(&self, _: &Origin, now_s: u64) -> Result<Secret, Outcome> {
        let token = self.token().await.get(now_s).map_err(|_| Outcome::Stop("cannot_sign"))?;
        Ok(Secret::new(format!("bearer {}", token.expose())))
    }

    async fn renew(&self, _: &Origin, refused: &Secret, now_s: u64) -> bool {
        let token = refused.expose().strip_prefix("bearer ").unwrap_or_default();
        self.token().await.renew(&Secret::new(token.to_owned()), now_s)
    }
}
