//! What FCM and its token server answer, and the account that they know.

use serde_json::{Value, json};

use super::{PushService, Reply, Seen};

/// The path of the project of [`service_account`].
pub const FCM_PATH: &str = "/v1/projects/p/messages:send";
const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";

/// Made by `openssl genpkey -algorithm RSA`, for tests only.
pub const RSA: &str = include_str!("../../../keys/rsa.pem");

/// The file of a service account whose token server is `oauth`.
pub fn service_account(oauth: &PushService) -> String {
    let account = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "kid",
        "client_email": "push@p.iam.gserviceaccount.com", "private_key": RSA,
        "token_uri": format!("{}/token", oauth.origin()),
    });
    account.to_string()
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

/// The answer to a message that was accepted.
pub fn fcm_ok() -> Reply {
    Reply::json(200, &json!({"name": "projects/p/messages/1"}))
}

pub fn fcm_error(status: u16, code: &str) -> Reply {
    let details = json!([{"@type": FCM_ERROR, "errorCode": code}]);
    Reply::json(status, &json!({"error": {"code": status, "details": details}}))
}

/// The message that a request to FCM holds.
pub fn fcm_message(seen: &Seen) -> Value {
    let json: Value = serde_json::from_slice(&seen.body).unwrap();
    json["message"].clone()
}

/// The token that a request to FCM was for.
pub fn fcm_token(seen: &Seen) -> String {
    fcm_message(seen)["token"].as_str().unwrap().to_owned()
}
