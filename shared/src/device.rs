//! Devices: the addresses that pushes are sent to. Anyone who knows an address can send to it, so no
//! text of Bellwire contains one, except for the answers to the push worker.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;

use crate::error::Error;
use crate::json::Object;
use crate::limits::{
    APNS_TOKEN_HEX_MAX, APNS_TOPIC_BYTES_MAX, LOCALE_BYTES_MAX, WEBPUSH_ENDPOINT_BYTES_MAX,
};
use crate::{PushToken, digest, time_zone};

/// The service that delivers to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Apns,
    Fcm,
    WebPush,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Apns, Kind::Fcm, Kind::WebPush];

    /// The word in requests, answers and the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Apns => "apns",
            Kind::Fcm => "fcm",
            Kind::WebPush => "webpush",
        }
    }
}

/// APNs' servers: a token belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    Production,
    Sandbox,
}

impl Environment {
    pub const ALL: [Environment; 2] = [Environment::Production, Environment::Sandbox];

    pub fn as_str(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Sandbox => "sandbox",
        }
    }
}

/// Where a push goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    Fcm {
        token: PushToken,
    },
    /// A subscription of a browser (RFC 8030); keys in base64url without padding (RFC 8291).
    WebPush {
        endpoint: String,
        p256dh: String,
        auth: String,
    },
    /// The token is in lower case.
    Apns {
        token: String,
        topic: String,
        environment: Environment,
    },
}

impl Address {
    pub fn kind(&self) -> Kind {
        match self {
            Address::Fcm { .. } => Kind::Fcm,
            Address::WebPush { .. } => Kind::WebPush,
            Address::Apns { .. } => Kind::Apns,
        }
    }

    /// The digest that the record finds an owner by. An address may change without changing it: a
    /// subscription's keys, or the environment of an APNs token.
    pub fn digest(&self) -> String {
        match self {
            Address::Fcm { token } => token.digest(),
            // No push token contains a line feed.
            Address::WebPush { endpoint, .. } => digest::of_text(&format!("webpush\n{endpoint}")),
            Address::Apns { token, topic, .. } => {
                digest::of_text(&format!("apns\n{topic}\n{token}"))
            }
        }
    }

    /// The address as JSON, without its kind.
    pub fn to_json(&self) -> String {
        let json = match self {
            Address::Fcm { token } => json!({"token": token.as_str()}),
            Address::WebPush { endpoint, p256dh, auth } => {
                json!({"endpoint": endpoint, "p256dh": p256dh, "auth": auth})
            }
            Address::Apns { token, topic, environment } => {
                json!({"token": token, "topic": topic, "environment": environment.as_str()})
            }
        };
        json.to_string()
    }

    /// Takes the members of an address from a request.
    fn take_from(object: &mut Object<'_>) -> Result<Self, Error> {
        let kind = object.string("kind")?.ok_or_else(|| object.missing("kind"))?;
        match Kind::ALL.into_iter().find(|known| known.as_str() == kind) {
            Some(Kind::Fcm) => Ok(Address::Fcm { token: PushToken::require(object, "token")? }),
            Some(Kind::WebPush) => {
                let subscription = object.require("subscription")?;
                subscription_from(Object::parse_nested(subscription, "subscription")?)
            }
            Some(Kind::Apns) => Ok(Address::Apns {
                token: apns_token(object)?,
                topic: topic(object)?,
                environment: environment(object)?,
            }),
            None => Err(object.invalid("kind", "must be fcm, webpush or apns")),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

/// Browsers omit padding, libraries may write it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Length and first byte of an uncompressed point of P-256, length of the secret (RFC 8291 §3).
const P256DH_BYTES: usize = 65;
const UNCOMPRESSED: u8 = 4;
const AUTH_BYTES: usize = 16;

/// A subscription as `PushSubscription.toJSON()` writes it. The time of its expiry is not kept: the
/// push service tells when it is gone.
fn subscription_from(mut object: Object<'_>) -> Result<Address, Error> {
    let endpoint = object.string("endpoint")?.ok_or_else(|| object.missing("endpoint"))?;
    if endpoint.len() > WEBPUSH_ENDPOINT_BYTES_MAX {
        let (bytes, most) = (endpoint.len(), WEBPUSH_ENDPOINT_BYTES_MAX);
        let problem = format!("has {bytes} bytes, at most {most} are allowed");
        return Err(object.beyond("endpoint", &problem));
    }
    let is_printable = endpoint.bytes().all(|byte| byte.is_ascii_graphic());
    let after_scheme = endpoint.strip_prefix("https://").filter(|_| is_printable);
    if after_scheme.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#', ':'])) {
        return Err(object.invalid("endpoint", "must be an https URL"));
    }
    let expiration = object.take("expirationTime");
    if expiration.is_some_and(|time| serde_json::from_str::<f64>(time.get()).is_err()) {
        return Err(object.invalid("expirationTime", "must be a number or null"));
    }
    let keys = object.require("keys")?;
    object.finish()?;
    let mut keys = Object::parse_nested(keys, "subscription.keys")?;
    let (p256dh, point) = key(&mut keys, "p256dh", P256DH_BYTES)?;
    if point.first() != Some(&UNCOMPRESSED) {
        return Err(keys.invalid("p256dh", "must be an uncompressed point of P-256"));
    }
    let (auth, _) = key(&mut keys, "auth", AUTH_BYTES)?;
    keys.finish()?;
    Ok(Address::WebPush { endpoint, p256dh, auth })
}

/// A key of `length` bytes in base64url; padding is dropped.
fn key(keys: &mut Object<'_>, name: &str, length: usize) -> Result<(String, Vec<u8>), Error> {
    let text = keys.string(name)?.ok_or_else(|| keys.missing(name))?;
    match BASE64URL.decode(&text) {
        Ok(bytes) if bytes.len() == length => Ok((text.trim_end_matches('=').to_owned(), bytes)),
        _ => Err(keys.invalid(name, &format!("must be {length} bytes in base64url"))),
    }
}

fn apns_token(object: &mut Object<'_>) -> Result<String, Error> {
    let token = object.string("token")?.ok_or_else(|| object.missing("token"))?;
    if token.len() > APNS_TOKEN_HEX_MAX {
        let (digits, most) = (token.len(), APNS_TOKEN_HEX_MAX);
        let problem = format!("has {digits} bytes, at most {most} are allowed");
        return Err(object.beyond("token", &problem));
    }
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(object.invalid("token", "must consist of hexadecimal digits"));
    }
    Ok(token.to_ascii_lowercase())
}

fn topic(object: &mut Object<'_>) -> Result<String, Error> {
    let topic = object.string("topic")?.ok_or_else(|| object.missing("topic"))?;
    if topic.len() > APNS_TOPIC_BYTES_MAX {
        let (bytes, most) = (topic.len(), APNS_TOPIC_BYTES_MAX);
        let problem = format!("has {bytes} bytes, at most {most} are allowed");
        return Err(object.beyond("topic", &problem));
    }
    let is_bundle_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if topic.is_empty() || !topic.bytes().all(is_bundle_id) {
        return Err(object.invalid("topic", "must be the app's bundle id"));
    }
    Ok(topic)
}

fn environment(object: &mut Object<'_>) -> Result<Environment, Error> {
    let Some(name) = object.string("environment")? else { return Ok(Environment::Production) };
    let known = Environment::ALL.into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| object.invalid("environment", "must be production or sandbox"))
}

/// A device as a client registers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub address: Address,
    /// The language tag of the texts that it is sent.
    pub locale: Option<String>,
    /// An IANA name.
    pub time_zone: Option<String>,
}

impl Device {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// `bad_json`, `missing_field`, `invalid_field`, `limit_exceeded` or `unknown_field`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let address = Address::take_from(&mut object)?;
        let locale = locale(&mut object)?;
        let time_zone = time_zone_from(&mut object, "timeZone")?;
        object.finish()?;
        Ok(Self { address, locale, time_zone })
    }
}

/// A language tag (RFC 5646) by its form; `_` is accepted, as operating systems write it.
fn locale(object: &mut Object<'_>) -> Result<Option<String>, Error> {
    let Some(text) = object.string("locale")? else { return Ok(None) };
    if text.len() > LOCALE_BYTES_MAX {
        let (bytes, most) = (text.len(), LOCALE_BYTES_MAX);
        let problem = format!("has {bytes} bytes, at most {most} are allowed");
        return Err(object.beyond("locale", &problem));
    }
    let is_subtag =
        |tag: &str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !text.split(['-', '_']).all(is_subtag) {
        return Err(object.invalid("locale", "must be a language tag such as de or pt-BR"));
    }
    Ok(Some(text))
}

/// Takes an optional name of a time zone.
///
/// # Errors
/// `invalid_field`, naming the member and the value.
pub(crate) fn time_zone_from(object: &mut Object<'_>, name: &str) -> Result<Option<String>, Error> {
    let Some(text) = object.string(name)? else { return Ok(None) };
    match time_zone::is_known(&text) {
        true => Ok(Some(text)),
        false => Err(object.invalid(name, &time_zone::problem(&text))),
    }
}

#[cfg(test)]
mod tests;
