mod certificate;
mod fake;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use push::collapse::Ids;
use push::message::Message;
use push::outcome::Outcome;
use push::sender::{ApnsConfig, Config, FcmConfig, WebPushConfig};
use push::webpush::Allowed;
use push::{Address, Origin, Push, Roots, Sender};
use serde_json::json;

pub use certificate::Certificate;
pub use fake::{Fake, Protocol, Reply, Seen, acceptor};

pub const FCM_PATH: &str = "/v1/projects/p/messages:send";
pub const TOPIC: &str = "com.example.app";
const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";

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
        let account = json!({
            "type": "service_account", "project_id": "p", "private_key_id": "kid",
            "client_email": "push@p.iam.gserviceaccount.com", "private_key": RSA,
            "token_uri": format!("{}/token", oauth.origin()),
        });
        let file = self.write("service-account.json", &account.to_string());
        let fcm = FcmConfig { origin: origin(fcm), ..FcmConfig::new(file) };
        Config { fcm: Some(fcm), ..self.config() }
    }

    pub fn webpush(&self, allowed: Allowed) -> Config {
        let key = self.write("vapid.pem", &certificate::pem());
        let subject = "mailto:ops@example.com".to_owned();
        Config { webpush: Some(WebPushConfig { key, subject, allowed }), ..self.config() }
    }

    pub fn apns(&self, apns: &Fake) -> Config {
        let key = self.write("apns.p8", &certificate::pem());
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

/// An OAuth2 server's answer: a new token each time.
pub fn token(seen: &Seen) -> Reply {
    Reply::json(
        200,
        &json!({
            "access_token": format!("token-{}", seen.number), "expires_in": 3599,
            "token_type": "Bearer",
        }),
    )
}

pub fn fcm_error(status: u16, code: &str) -> Reply {
    let details = json!([{"@type": FCM_ERROR, "errorCode": code}]);
    Reply::json(status, &json!({"error": {"code": status, "details": details}}))
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

/// The token that a request to FCM was for.
pub fn fcm_token(seen: &Seen) -> String {
    let json: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    json["message"]["token"].as_str().unwrap().to_owned()
}

pub fn count(outcomes: &[Outcome], label: &str) -> usize {
    outcomes.iter().filter(|outcome| outcome.label() == label).count()
}

/// Made by `openssl genpkey -algorithm RSA`, for tests only.
const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCKSb6mY9KL37XQ
Sju9/I6laPwPS3N8cye2+bc6YqCGyjFXWGppUTUc4gq0j7phsdWbdNh8RfEOK2a0
V7rsAmKCut/XJFIoCw1Foqi67SCC5B3HvC8kjnXOiPw5Y8UxsETN+YYF8SZ2OoLP
oPblcWzgnfkNWHGh6mZ5vWuVY8868zQD3iR2i/HuIWN3binMPzJu3qgw/14LuU2a
D1057jjyouC/vv3eCLtUaIybca34G6exugny+8B6e8BhKX+BncfAtLcEfjiawxt2
g92sSLkWYjRJ/xGIIF83t040UOzlLT/kFxvKwAsm5d8hYsxRXfak4YoJLYb8ovlr
fMUK77KxAgMBAAECggEAN2IXd74MybYbs8K3MHygiICGSn3WT6Yy5qYWCs0LK1B4
+FlRrMI4OkwRK4VQiOXW/b6LISJFy334UQu9sd22pFLBaQGD4cOjWhst5kcnuSQx
BRhJ7SMc7U2Rbk6V4DOPKsrfMSwGUl1WnF8D4ppNl5vM7dpZEBa3WdRR7O+fRCUi
HcRuQ9Ew/GJimdx/oevextBIng/L0mXFXuLcBbdd89LGlwXEk+dM2mOkBblXVJ8x
deTDvKXo2NS4iZ30rkPSkY7qR/sIv2QaFvos81VCEyweXCFHrWK4G1rwwEvnvN6Y
g4levc/Zya2NXAWCB7iQ5m9zZGMKn5N6v2HbIQ4vvQKBgQC9tewNe757wI9wCcXp
udzhVsFBonDkrjS5u20upv+HrrzJCawTgjPcQ+SwRbfxH5Sx13Dzx56HJm4BcRjh
xwjH82Vqo8pZKHd/Srm3WuPYJj1dxvGBQVnvenVxwfE32r/IFCDFGvhm63SkuhSr
TtJBqa6aUreoQaDvc7/yVs4l/wKBgQC6m/LjpQag+IHqkdx5tfv57iebusPdqJqw
6L7jKgAgCyfWP2tLuKgf6yUF/4zDhv4btwPAqo2dr0DKw/Rs9Y53TFCn2NfWLS79
FL1TFN8f//3PG0n/hLI7cLib4FaO3iS7gpRDtt1nzdvD5JmSXOL0puzjccWnThvz
aMPUsbgHTwKBgHPgznoB7v0qRrM51QEJ/YhK9KrBrVGRszUL7goECat4KWpnFQup
iUHu2p5tR4jqMGpc3WqasRN+fs00pu0qJQv1eSolN/EzzaIcI8qCow+hc/R3E4dP
Qr8Lvvcobs4eOOzelpGvArHi+pGv8/YbpERlf/hVtEb7J3F782/0Y+FDAoGAQVg8
nHR8Nr/ullpPTxtnyeQYYJLs5WCWEp7dwSRC+PWPFJoOk2xtCwhHZatP+mP59XCH
0t6mSnJFCPvHSqROJ/5EPBJVuj0GOD8b8MzdORJmKTDQH7ayxte4/XR4Ov0U9chK
7M9LBn9ylk0lbbgzDSKqzxZW9TgH15t2/7Lf00cCgYBbHfdV/dq1G8wqn5Y4Bq6q
4c2urDA+8l323iRyVk2W3NZMOKG9GrzMe6VSdoVqAXGlozxm3dkbtwN3o3ZJNnjZ
R1jrbWfFQUccVZmznG0TGUdxy4WpLC3sioGyW3dWxF/Kvz6F636YjGrxSAbRZrrY
Oy07C7eTtimaVoVrs+8H6g==
-----END PRIVATE KEY-----
";
