//! `POST /push/addresses`, and what the claims need to know about users: devices, preferences,
//! presence.

use futures_util::future::join3;
use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError};
use runtime::record::{AddressedDevice, Addresses};
use runtime::{Error, RecordApp, Request, Response, log, push_tokens};
use serde::Serialize;
use serde_json::Map;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PUSH_ADDRESSES_MAX, PUSH_TOKEN_BYTES_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::preferences::QuietHours;
use shared::{DeviceName, UserId, keys};

/// What is known about a user.
pub struct Known {
    pub addresses: Addresses,
    /// `None`: not asked, or Redis does not say.
    pub is_online: Option<bool>,
    /// Whether Redis said which token other services have stored.
    pub has_all_tokens: bool,
}

/// Reads what is known about users, in their order: one statement, and at the same time one call of
/// Redis, two with presence. Without Redis, the record's tokens are all that is known.
///
/// # Errors
/// `record_unavailable`.
pub async fn look(
    app: &RecordApp,
    users: &[UserId],
    with_presence: bool,
) -> Result<Vec<Known>, Error> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let asked = if with_presence { users } else { &[] };
    let (addresses, tokens, online) =
        join3(app.record.addresses(users), tokens(&app.redis, users), presence(&app.redis, asked))
            .await;
    let tokens = known(tokens, "push_tokens_from_record");
    let online = known(online, "push_presence_unknown");
    let of = |at: usize| {
        let is_online = online.as_ref().and_then(|online| online.get(at).copied());
        (tokens.as_ref().and_then(|tokens| tokens.get(at)), is_online)
    };
    let users = addresses?.into_iter().enumerate().map(|(at, mut addresses)| {
        let (token, is_online) = of(at);
        if let Some(Some(token)) = token {
            set_token(&mut addresses.devices, token);
        }
        Known { addresses, is_online, has_all_tokens: token.is_some() }
    });
    Ok(users.collect())
}

fn known<T>(outcome: Result<Vec<T>, RedisError>, message: &str) -> Option<Vec<T>> {
    outcome.map_err(|error| log::warn(message, &[("error", &error.to_string())])).ok()
}

/// The push token of each user in Redis, where other services may have stored it.
async fn tokens(redis: &impl Redis, users: &[UserId]) -> Result<Vec<Option<String>>, RedisError> {
    let users: Vec<&UserId> = users.iter().collect();
    let tokens = push_tokens::in_redis_alone(redis, &users).await?.into_iter();
    let is_token = |token: &String| {
        token.len() <= PUSH_TOKEN_BYTES_MAX && !token.chars().any(char::is_control)
    };
    Ok(tokens.map(|token| token.filter(is_token)).collect())
}

/// Whether each user is online.
async fn presence(redis: &impl Redis, users: &[UserId]) -> Result<Vec<bool>, RedisError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = vec![Arg::Text(keys::ONLINE_USERS)];
    args.extend(users.iter().map(|user| Arg::Text(user.as_str())));
    let reply = redis.command("SMISMEMBER", &args).await?;
    if reply.len() != users.len() {
        return Err(RedisError::Malformed("SMISMEMBER"));
    }
    Ok(reply.iter().map(|is_online| is_online.int() == Some(1)).collect())
}

/// Makes the token in Redis that of the default device. If the record has another one, another
/// service has stored it, and the record knows nothing about it: its revision is 0. A token that
/// another device of the user has remains that device's, so that it gets one push.
fn set_token(devices: &mut Vec<AddressedDevice>, token: &str) {
    let at = devices.iter().position(|device| device.device == DeviceName::DEFAULT);
    let has_token = |device: &AddressedDevice| {
        device.kind == "fcm" && device.address.get("token").is_some_and(|known| known == token)
    };
    if at.and_then(|at| devices.get(at)).is_some_and(has_token) {
        return;
    }
    if let Some(at) = at {
        devices.remove(at);
    }
    if devices.iter().any(has_token) {
        return;
    }
    let device = AddressedDevice {
        device: DeviceName::DEFAULT.to_owned(),
        kind: "fcm".to_owned(),
        rev: 0,
        locale: None,
        time_zone: None,
        address: Map::from_iter([("token".to_owned(), token.into())]),
    };
    devices.insert(0, device);
}

/// The parsed request.
struct Query {
    users: Vec<UserId>,
    with_presence: bool,
    kind: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    users: Vec<User<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    user_id: &'a str,
    push: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<&'a QuietHours>,
    devices: &'a [AddressedDevice],
}

/// Answers `{"users":[{"userId","push","online"?,"quietHours"?,"devices":[…]}]}`, in the order of
/// the request. `online` is absent if Redis does not say.
///
/// # Errors
/// Request errors; `record_unavailable`.
pub async fn read(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushSend)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let Query { users, with_presence, kind } = Query::parse(&body)?;
    let known = look(app, &users, with_presence).await?;
    let users = known.iter().map(|known| User {
        user_id: known.addresses.user.as_str(),
        push: known.addresses.preferences.wants_push(kind.as_deref()),
        online: known.is_online,
        quiet_hours: known.addresses.preferences.quiet_hours.as_ref(),
        devices: &known.addresses.devices,
    });
    crate::answer(&Answer { users: users.collect() })
}

impl Query {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let users = object.user_ids("userIds", PUSH_ADDRESSES_MAX)?;
        let with_presence = object.boolean("presence")?.unwrap_or(false);
        let kind = object.string("kind")?;
        object.finish()?;
        Ok(Self { users, with_presence, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, token: &str) -> AddressedDevice {
        AddressedDevice {
            device: name.to_owned(),
            kind: "fcm".to_owned(),
            rev: 7,
            locale: Some("de".to_owned()),
            time_zone: None,
            address: Map::from_iter([("token".to_owned(), token.into())]),
        }
    }

    #[test]
    fn a_token_of_another_service_replaces_the_default_device() {
        let mut devices = vec![device("default", "t"), device("tablet", "u")];
        set_token(&mut devices, "t");
        assert_eq!(devices, [device("default", "t"), device("tablet", "u")]);
        set_token(&mut devices, "theirs");
        let shown = serde_json::to_string(&devices).unwrap();
        let expected = concat!(
            r#"[{"device":"default","kind":"fcm","rev":0,"token":"theirs"},"#,
            r#"{"device":"tablet","kind":"fcm","rev":7,"locale":"de","token":"u"}]"#,
        );
        assert_eq!(shown, expected);
        let mut none = Vec::new();
        set_token(&mut none, "theirs");
        assert_eq!(none.len(), 1);
    }

    #[test]
    fn a_token_that_another_device_has_is_sent_to_once() {
        let mut devices = vec![device("phone", "t")];
        set_token(&mut devices, "t");
        assert_eq!(devices, [device("phone", "t")]);
        let mut devices = vec![device("default", "former"), device("phone", "t")];
        set_token(&mut devices, "t");
        assert_eq!(devices, [device("phone", "t")]);
        // An APNs token is something else.
        let apns = AddressedDevice { kind: "apns".to_owned(), ..device("phone", "t") };
        let mut devices = vec![apns];
        set_token(&mut devices, "t");
        assert_eq!(devices.len(), 2);
    }

    #[test]
    fn a_query_names_what_is_wrong() {
        let query = Query::parse(br#"{"userIds":["a",7,"a"],"kind":"k","presence":true}"#).unwrap();
        assert_eq!(query.users.iter().map(UserId::as_str).collect::<Vec<_>>(), ["a", "7", "a"]);
        assert!(query.with_presence && query.kind.as_deref() == Some("k"));
        let error = Query::parse(br#"{"userIds":["a","b c"]}"#).err().unwrap();
        assert_eq!(error.field_name(), Some("userIds[1]"));
    }
}
