//! `POST /push/prune`: removes addresses of which their service says that they are gone.

use runtime::http::auth;
use runtime::push_tokens;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PUSH_PRUNE_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::{DeviceName, PushToken, UserId};

/// The parsed request. Devices are removed by revision; the default device, which other services
/// write without one, by its token.
#[derive(Debug, Default)]
struct Dead {
    devices: Vec<(UserId, DeviceName, i64)>,
    tokens: Vec<(UserId, PushToken)>,
}

/// Removes devices that still have the address that was found dead. Answers `{"deleted":n}`.
///
/// # Errors
/// Request errors; `wrong_type`, `redis_unavailable` or `record_unavailable`, after which the
/// request can be repeated.
pub async fn prune(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushSend)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let Dead { devices, tokens } = Dead::parse(&body)?;
    let mut deleted = app.record.remove_devices(&devices).await?;
    deleted += push_tokens::prune(&app.redis, &app.record, tokens, clock::now_ms()).await?;
    Ok(Response::json(200, format!("{{\"deleted\":{deleted}}}")))
}

impl Dead {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let items = object.require_array("devices", PUSH_PRUNE_MAX)?;
        object.finish()?;
        let mut dead = Self::default();
        for (at, item) in items.into_iter().enumerate() {
            dead.add(item, &format!("devices[{at}]"))?;
        }
        Ok(dead)
    }

    fn add(&mut self, item: &RawValue, path: &str) -> Result<(), Error> {
        let mut object = Object::parse_nested(item, path)?;
        let user = object.user_id("userId")?;
        let name = object.string("device")?.ok_or_else(|| object.missing("device"))?;
        let field = format!("{path}.device");
        let name = DeviceName::parse(&name)
            .map_err(|error| Error::field(error.code(), &field, error.detail()))?;
        let rev = object.integer("rev", 0..=i64::MAX)?.ok_or_else(|| object.missing("rev"))?;
        let token = PushToken::take(&mut object, "token")?;
        match token {
            Some(token) if name.is_default() => self.tokens.push((user, token)),
            None if name.is_default() => return Err(object.missing("token")),
            _ => self.devices.push((user, name, rev)),
        }
        object.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Code;

    #[test]
    fn the_default_device_is_known_by_its_token() {
        let dead = Dead::parse(
            br#"{"devices":[{"userId":"a","device":"default","rev":0,"token":"t"},
                            {"userId":"b","device":"phone","rev":9,"token":"ignored"}]}"#,
        )
        .unwrap();
        assert_eq!((dead.tokens.len(), dead.devices.len()), (1, 1));
        assert_eq!(dead.devices[0].2, 9);
        for (item, code, field) in [
            (r#"{"userId":"a","device":"default","rev":0}"#, Code::MissingField, "token"),
            (r#"{"userId":"a","device":"phone"}"#, Code::MissingField, "rev"),
            (r#"{"userId":"a","device":"a b","rev":1}"#, Code::InvalidId, "device"),
        ] {
            let body = format!("{{\"devices\":[{item}]}}");
            let error = Dead::parse(body.as_bytes()).err().unwrap();
            let field = format!("devices[0].{field}");
            assert_eq!((error.code(), error.field_name()), (code, Some(field.as_str())), "{item}");
        }
    }
}
