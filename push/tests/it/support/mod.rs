use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use push::collapse::Ids;
use push::message::Message;
use push::outcome::Outcome;
use push::sender::{ApnsConfig, Config, FcmConfig, WebPushConfig};
use push::webpush::Allowed;
use push::{Address, Origin, Push, Roots, Sender};

pub use support::push_service::{
    Certificate, FCM_PATH, Protocol, PushService as Fake, Reply, Seen, acceptor, fcm_error,
    fcm_token, token,
};
use support::push_service::{pem, service_account};

pub const TOPIC: &str = "com.example.app";

/// Credentials in files, and a configuration that uses them.
pub struct Files {
    directory: tempfile::TempDir,
    pub certificate: Certificate,
}

impl Files {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), certificate: Certificate::new("localhost") }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn config(&self) -> Config {
        Config {
            roots: Roots::Only(vec![self.certificate.der.clone()]),
            // Long: a busy machine must not look like a slow service.
            deadline: Duration::from_secs(60),
            is_development: true,
            ..Config::default()
        }
    }

    /// FCM at `fcm`, with its OAuth2 server at `oauth`.
    pub fn fcm(&self, fcm: &Fake, oauth: &Fake) -> Config {
        let account = service_account(oauth);
        let file = self.write("service-account.json", &account);
        let fcm = FcmConfig { origin: origin(fcm), ..FcmConfig::new(file) };
        Config { fcm: Some(fcm), ..self.config() }
    }

    pub fn webpush(&self, allowed: Allowed) -> Config {
        let key = self.write("vapid.pem", &pem());
        let subject = "mailto:ops@example.com".to_owned();
        Config { webpush: Some(WebPushConfig { key, subject, allowed }), ..self.config() }
    }

    pub fn apns(&self, apns: &Fake) -> Config {
        let key = self.write("apns.p8", &pem());
        let topics = vec![TOPIC.to_owned()];
        let config = ApnsConfig::new(key, "KEY".into(), "TEAM".into(), topics);
        let apns = ApnsConfig { production: origin(apns), ..config };
        Config { apns: Some(apns), ..self.config() }
    }
}

fn origin(fake: &Fake) -> Origin {
    Origin::parse(&fake.origin(), true).unwrap()
}

/// An FCM that answers as `answer` says, with its OAuth2 server.
pub struct Fcm {
    /// Keeps the credential until the end.
    _files: Files,
    pub fcm: Fake,
    pub oauth: Fake,
    pub sender: Sender,
}

impl Fcm {
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(answer, |config| config).await
    }

    pub async fn with(
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        change: impl FnOnce(Config) -> Config,
    ) -> Self {
        let files = Files::new();
        let fcm = Fake::start(&files.certificate, answer).await;
        let oauth = Fake::start(&files.certificate, token).await;
        let sender = Sender::new(change(files.fcm(&fcm, &oauth))).await.unwrap();
        Self { _files: files, fcm, oauth, sender }
    }
}

pub fn push(address: Address) -> Push {
    Push {
        address,
        message: Arc::new(Message {
            id: "n1".into(),
            title: "Invoice paid".into(),
            body: Some("Your invoice 7 was paid.".into()),
            ..Message::default()
        }),
        ids: Ids::new("n1", "alice", "phone", None),
        ttl_s: 3600,
        validate_only: false,
    }
}

pub fn to_fcm(token: &str) -> Push {
    push(Address::Fcm { token: token.to_owned() })
}

pub fn many(count: usize) -> Vec<Push> {
    (0..count).map(|i| to_fcm(&format!("token-{i}"))).collect()
}

pub fn count(outcomes: &[Outcome], label: &str) -> usize {
    outcomes.iter().filter(|outcome| outcome.label() == label).count()
}
