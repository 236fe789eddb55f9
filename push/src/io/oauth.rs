//! Google's OAuth2 tokens for a service account (RFC 7523): renewed before they expire, by one caller
//! at a time, while the others go on with the old one.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::client::{Client, Failure};
use super::dns::Filter;
use crate::jwt::Rs256;
use crate::limits::{
    DEADLINE_MIN, OAUTH_ASSERTION_S, OAUTH_BACKOFF_MAX, OAUTH_BACKOFF_MIN, OAUTH_RENEW_BEFORE,
};
use crate::origin::Origin;
use crate::outcome::Reason;
use crate::secret::Secret;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const TOKEN_BYTES_MAX: usize = 8192;

/// A service account's file.
pub(crate) struct ServiceAccount {
    pub(crate) project: String,
    email: String,
    key_id: String,
    key: Rs256,
    token_url: Url,
}

#[derive(Deserialize)]
struct File {
    project_id: String,
    client_email: String,
    private_key_id: Option<String>,
    private_key: String,
    token_uri: Option<String>,
}

impl ServiceAccount {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // serde's message may quote the file.
        let file: File = serde_json::from_str(text).map_err(|_| {
            "not a service account: project_id, client_email, private_key".to_owned()
        })?;
        let key =
            Rs256::parse(&file.private_key).map_err(|error| format!("private_key: {error}"))?;
        let token_url = file.token_uri.as_deref().unwrap_or("https://oauth2.googleapis.com/token");
        let token_url = Url::parse(token_url).map_err(|_| "token_uri is not a URL".to_owned())?;
        crate::fcm::path(&file.project_id)?;
        Ok(Self {
            project: file.project_id,
            email: file.client_email,
            key_id: file.private_key_id.unwrap_or_default(),
            key,
            token_url,
        })
    }

    /// The signed request for a token.
    fn assertion(&self, now_s: u64) -> Option<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_url.as_str(), "iat": now_s,
            "exp": now_s + OAUTH_ASSERTION_S,
        });
        self.key.sign(&header, &claims).ok()
    }
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OAuthError {
    /// The service account is refused.
    Refused(Reason),
    /// The token server cannot be reached or fails; asked again after `wait`.
    Failed { reason: Reason, wait: Duration },
}

struct Token {
    /// `Bearer …`.
    header: Secret,
    expires: Instant,
    /// Of the credential file.
    generation: u64,
}

#[derive(Default)]
struct Backoff {
    failures: u32,
    last: Option<(OAuthError, Instant)>,
    generation: u64,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

pub(crate) struct OAuth {
    client: Arc<Client>,
    may_be_plain: bool,
    token: Mutex<Option<Token>>,
    renewing: AsyncMutex<Backoff>,
}

impl OAuth {
    pub(crate) fn new(client: Arc<Client>, may_be_plain: bool) -> Self {
        Self { client, may_be_plain, token: Mutex::default(), renewing: AsyncMutex::default() }
    }

    /// The value of `authorization` with a token that is valid for now.
    pub(crate) async fn get(
        &self,
        account: &ServiceAccount,
        generation: u64,
    ) -> Result<Secret, OAuthError> {
        let (token, is_fresh) = self.valid(generation);
        let mut renewing = match (token, is_fresh) {
            (Some(token), true) => return Ok(token),
            // Still valid: one caller renews it, and none waits.
            (Some(token), false) => match self.renewing.try_lock() {
                Ok(renewing) => renewing,
                Err(_) => return Ok(token),
            },
            (None, _) => self.renewing.lock().await,
        };
        let (token, is_fresh) = self.valid(generation);
        if let (Some(token), true) = (&token, is_fresh) {
            return Ok(token.clone());
        }
        // In a box: once an hour, its space would be part of every push in flight.
        let renewing = Box::pin(self.renew(account, generation, &mut renewing));
        match (renewing.await, token) {
            (Ok(token), _) | (Err(_), Some(token)) => Ok(token),
            (Err(error), None) => Err(error),
        }
    }

    /// A service refused `refused`: the next token is new.
    pub(crate) fn discard(&self, refused: &Secret) {
        let mut token = self.token.lock();
        if token.as_ref().is_some_and(|token| token.header == *refused) {
            *token = None;
        }
    }

    /// The current token, and whether it is valid for long enough.
    fn valid(&self, generation: u64) -> (Option<Secret>, bool) {
        let now = Instant::now();
        let token = self.token.lock();
        let token = token.as_ref().filter(|t| t.generation == generation && t.expires > now);
        let is_fresh = token.is_some_and(|token| token.expires > now + OAUTH_RENEW_BEFORE);
        (token.map(|token| token.header.clone()), is_fresh)
    }

    async fn renew(
        &self,
        account: &ServiceAccount,
        generation: u64,
        backoff: &mut Backoff,
    ) -> Result<Secret, OAuthError> {
        if backoff.generation != generation {
            *backoff = Backoff { generation, ..Backoff::default() };
        }
        if let Some((error, until)) = backoff.last {
            let wait = until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Err(match error {
                    OAuthError::Failed { reason, .. } => OAuthError::Failed { reason, wait },
                    refused @ OAuthError::Refused(_) => refused,
                });
            }
        }
        match self.ask(account).await {
            Ok(answer) => {
                *backoff = Backoff { generation, ..Backoff::default() };
                let header = Secret::new(format!("Bearer {}", answer.access_token));
                // A lifetime of an hour at most, whatever the server says.
                let lifetime = Duration::from_secs(answer.expires_in.min(3600));
                let expires = Instant::now() + lifetime;
                *self.token.lock() = Some(Token { header: header.clone(), expires, generation });
                Ok(header)
            }
            Err(error) => {
                let doublings = backoff.failures.min(6);
                let wait = (OAUTH_BACKOFF_MIN * 2_u32.pow(doublings)).min(OAUTH_BACKOFF_MAX);
                let wait = wait.mul_f64(0.75 + fastrand::f64() / 2.0);
                let error = match error {
                    OAuthError::Failed { reason, .. } => OAuthError::Failed { reason, wait },
                    refused @ OAuthError::Refused(_) => refused,
                };
                if backoff.failures == 0 {
                    tracing::warn!(?error, "no OAuth2 token");
                }
                backoff.failures = backoff.failures.saturating_add(1);
                backoff.last = Some((error, Instant::now() + wait));
                Err(error)
            }
        }
    }

    async fn ask(&self, account: &ServiceAccount) -> Result<Answer, OAuthError> {
        let failed = |reason| OAuthError::Failed { reason, wait: Duration::ZERO };
        let origin = Origin::of(&account.token_url, self.may_be_plain)
            .map_err(|_| OAuthError::Refused("token_uri_not_https"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let assertion = account.assertion(now.as_secs()).ok_or(failed("no_randomness"))?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let path = &account.token_url[url::Position::BeforePath..url::Position::AfterQuery];
        let sent = self
            .client
            .post(&origin, Filter::Any, path, headers, Bytes::from(body), DEADLINE_MIN)
            .await;
        let received = sent.map_err(|failure| match failure {
            Failure::Unreachable { .. } => failed("oauth_unreachable"),
            Failure::Late { .. } => failed("oauth_timeout"),
            Failure::Broken { .. } | Failure::Invalid => failed("oauth_failed"),
        })?;
        match received.status {
            200 => {
                let answer: Option<Answer> = serde_json::from_slice(&received.body).ok();
                let is_token = |text: &str| {
                    (1..=TOKEN_BYTES_MAX).contains(&text.len())
                        && text.bytes().all(|b| b.is_ascii_graphic())
                };
                answer
                    .filter(|answer| answer.expires_in > 0 && is_token(&answer.access_token))
                    .ok_or(failed("oauth_invalid_answer"))
            }
            // invalid_grant, invalid_client, no permission.
            400 | 401 | 403 => Err(OAuthError::Refused("oauth_refused")),
            _ => Err(failed("oauth_failed")),
        }
    }
}
