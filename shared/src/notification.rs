//! Notifications: the request to create one, and the only serialiser of the stored and published
//! form.

use crate::UserId;
use crate::error::{Code, Error};
use crate::json::{Object, inspect, integer_text, quoted};
use crate::limits::{
    BODY_BYTES_MAX, DATA_BYTES_MAX, DATA_DEPTH_MAX, ID_BYTES_MAX, KIND_CHARS_MAX, TITLE_CHARS_MAX,
};
use crate::time::{parse_rfc3339, rfc3339};

mod import;
mod push;

pub use import::History;
pub use push::{PushOptions, PushUrgency, PushWhen};

/// A validated request for a notification, without id, seq and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub user_id: UserId,
    pub title: String,
    pub body: Option<String>,
    pub kind: Option<String>,
    /// JSON text exactly as sent.
    pub data: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
}

impl Draft {
    /// Takes the members of a create request from `object`; the caller takes other members and
    /// calls [`Object::finish`].
    ///
    /// # Errors
    /// `missing_field`, `invalid_field`, `invalid_id` or `limit_exceeded`, naming the member.
    pub fn take_from(object: &mut Object<'_>) -> Result<Self, Error> {
        let user_id = object.user_id("userId")?;
        let title = match object.string("title")? {
            Some(title) => title,
            None => {
                let problem = "`title` is required";
                return Err(Error::field(Code::MissingField, "title", problem));
            }
        };
        if title.is_empty() {
            return Err(object.invalid("title", "must not be empty"));
        }
        check_chars(object, "title", &title, TITLE_CHARS_MAX)?;
        Ok(Self {
            user_id,
            title,
            body: body(object)?,
            kind: kind(object)?,
            data: data(object)?,
            expires_at_ms: expires_at(object)?,
        })
    }
}

/// Parses a user id as other services write it: a string or an integer. `None` for other JSON.
pub fn user_id_from_json(json: &str) -> Option<Result<UserId, Error>> {
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).ok()?;
        return Some(UserId::parse(&text));
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_plain {
        return Some(UserId::parse(json));
    }
    integer_text(json).map(|digits| UserId::parse(&digits))
}

fn check_chars(object: &Object<'_>, name: &str, text: &str, chars_max: usize) -> Result<(), Error> {
    match text.chars().count() {
        chars if chars > chars_max => {
            let problem = format!("has {chars} characters, at most {chars_max} are allowed");
            Err(object.beyond(name, &problem))
        }
        _ => Ok(()),
    }
}

fn body(object: &mut Object<'_>) -> Result<Option<String>, Error> {
    let body = object.string("body")?;
    match &body {
        Some(body) if body.len() > BODY_BYTES_MAX => {
            let problem = format!("has {} bytes, at most {BODY_BYTES_MAX} are allowed", body.len());
            Err(object.beyond("body", &problem))
        }
        _ => Ok(body),
    }
}

fn kind(object: &mut Object<'_>) -> Result<Option<String>, Error> {
    let kind = object.string("kind")?;
    if let Some(kind) = &kind {
        check_chars(object, "kind", kind, KIND_CHARS_MAX)?;
    }
    Ok(kind)
}

fn data(object: &mut Object<'_>) -> Result<Option<String>, Error> {
    let Some(value) = object.take("data") else { return Ok(None) };
    let json = value.get();
    if json.len() > DATA_BYTES_MAX {
        let problem = format!("has {} bytes, at most {DATA_BYTES_MAX} are allowed", json.len());
        return Err(object.beyond("data", &problem));
    }
    let shape = inspect(json);
    if shape.depth > DATA_DEPTH_MAX {
        let problem =
            format!("is nested {} deep, at most {DATA_DEPTH_MAX} are allowed", shape.depth);
        return Err(object.beyond("data", &problem));
    }
    if shape.has_nul {
        return Err(object.invalid("data", "contains U+0000"));
    }
    Ok(Some(json.to_owned()))
}

fn expires_at(object: &mut Object<'_>) -> Result<Option<i64>, Error> {
    let Some(text) = object.string("expiresAt")? else { return Ok(None) };
    match parse_rfc3339(&text) {
        Some(ms) => Ok(Some(ms)),
        None => Err(object.invalid("expiresAt", "must be an RFC 3339 time")),
    }
}

/// A notification as in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// UUIDv7 in canonical text form.
    pub id: String,
    /// 1, 2, 3… per user and epoch.
    pub seq: i64,
    pub draft: Draft,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// Why it is in the feed without being delivered live; `None` for the usual ones, which are.
    pub quiet: Option<Quiet>,
}

/// Why a notification is in the feed without being delivered live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// The user did not want notifications of this kind in the feed when it was created: it is read
    /// from then on.
    Muted,
    /// It is history, imported from another system: it is unread unless it was read there.
    Imported,
}

impl Notification {
    /// The only serialiser: these bytes are stored in the feed, published and returned.
    ///
    /// Scripts recognise Bellwire's entries by exactly this prefix
    /// (`{"id":"…","userId":"…","seq":…,`), with `"muted":true,` or `"imported":true,` behind it in a
    /// quiet one, and read `expiresAt` from the end, so the order of members is part of the contract.
    pub fn to_json(&self) -> String {
        let draft = &self.draft;
        let data_bytes = draft.data.as_ref().map_or(0, String::len);
        let mut json = String::with_capacity(256 + draft.title.len() + data_bytes);
        json.push_str("{\"id\":");
        json.push_str(&quoted(&self.id));
        json.push_str(",\"userId\":");
        json.push_str(&quoted(draft.user_id.as_str()));
        json.push_str(&format!(",\"seq\":{},", self.seq));
        match self.quiet {
            Some(Quiet::Muted) => json.push_str(MUTED),
            Some(Quiet::Imported) => json.push_str(IMPORTED),
            None => {}
        }
        json.push_str("\"title\":");
        json.push_str(&quoted(&draft.title));
        if let Some(body) = &draft.body {
            json.push_str(",\"body\":");
            json.push_str(&quoted(body));
        }
        if let Some(kind) = &draft.kind {
            json.push_str(",\"kind\":");
            json.push_str(&quoted(kind));
        }
        if let Some(data) = &draft.data {
            json.push_str(",\"data\":");
            json.push_str(data);
        }
        json.push_str(",\"createdAt\":\"");
        json.push_str(&rfc3339(self.created_at_ms));
        json.push('"');
        if let Some(expires_at_ms) = draft.expires_at_ms {
            json.push_str(",\"expiresAt\":\"");
            json.push_str(&rfc3339(expires_at_ms));
            json.push('"');
        }
        json.push('}');
        json
    }

    /// The time from which a muted notification is read, in milliseconds since the Unix epoch.
    pub fn muted_at_ms(&self) -> Option<i64> {
        (self.quiet == Some(Quiet::Muted)).then_some(self.created_at_ms)
    }
}

/// The member of a muted notification, between `seq` and `title`.
const MUTED: &str = "\"muted\":true,";
/// That of an imported one.
const IMPORTED: &str = "\"imported\":true,";

/// The delivery state of a notification; part of answers, never of stored or published bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In the feed and published.
    Sent,
    /// In the record; the relay will append it to the feed.
    Pending,
}

impl Delivery {
    /// Adds the members `readAt` (milliseconds since the Unix epoch) and `delivery` to the JSON
    /// text without parsing it.
    pub fn overlay(self, json: &str, read_at_ms: Option<i64>) -> String {
        let mut shown = String::with_capacity(json.len() + 64);
        self.push_overlay(&mut shown, json, read_at_ms);
        shown
    }

    /// [`Delivery::overlay`], appended to `shown`.
    pub fn push_overlay(self, shown: &mut String, json: &str, read_at_ms: Option<i64>) {
        shown.push_str(json.strip_suffix('}').unwrap_or(json));
        if let Some(ms) = read_at_ms {
            shown.push_str(",\"readAt\":\"");
            shown.push_str(&rfc3339(ms));
            shown.push('"');
        }
        shown.push_str(match self {
            Delivery::Sent => ",\"delivery\":\"sent\"}",
            Delivery::Pending => ",\"delivery\":\"pending\"}",
        });
    }
}

/// The expiry time of a Bellwire element, as text that compares with [`rfc3339`]; the serialiser
/// writes it last.
pub fn expiry_of(element: &str) -> Option<&str> {
    let (rest, time) = element.strip_suffix("\"}")?.rsplit_once(",\"expiresAt\":\"")?;
    // The member before it is `createdAt`, so this is not part of `data`.
    rest.ends_with('"').then_some(time)
}

/// Id and seq of an element written by [`Notification::to_json`]; `None` for foreign elements.
pub fn our_id_and_seq(element: &str) -> Option<(&str, i64)> {
    our_start(element).map(|(id, seq, _)| (id, seq))
}

/// Whether the element is a muted one of Bellwire's.
pub fn is_muted(element: &str) -> bool {
    our_start(element).is_some_and(|(_, _, rest)| rest.starts_with(MUTED))
}

/// Whether the element is one of Bellwire's that is not delivered live.
pub fn is_quiet(element: &str) -> bool {
    our_start(element)
        .is_some_and(|(_, _, rest)| rest.starts_with(MUTED) || rest.starts_with(IMPORTED))
}

/// [`Notification::muted_at_ms`] of an element of the feed.
pub fn muted_at_ms(element: &str) -> Option<i64> {
    if !is_muted(element) {
        return None;
    }
    // Only `expiresAt` comes behind it, so this is not part of `data`.
    let (_, created) = element.rsplit_once(",\"createdAt\":\"")?;
    parse_rfc3339(created.split_once('"')?.0)
}

/// Id, seq and what follows the comma behind them.
fn our_start(element: &str) -> Option<(&str, i64, &str)> {
    let rest = element.strip_prefix("{\"id\":\"")?;
    let (id, rest) = rest.split_at_checked(UUID_CHARS)?;
    let rest = rest.strip_prefix("\",\"userId\":\"")?;
    let user_bytes = rest.bytes().take(ID_BYTES_MAX + 1).position(|byte| byte == b'"')?;
    let rest = rest.get(user_bytes..)?.strip_prefix("\",\"seq\":")?;
    let digits = rest.bytes().take(20).position(|byte| byte == b',')?;
    let seq = rest.get(..digits)?.parse().ok().filter(|seq| *seq > 0)?;
    let is_ours = is_uuid_v7(id.as_bytes()) && rest.ends_with('}');
    is_ours.then_some((id, seq, rest.get(digits + 1..)?))
}

/// Whether the id is a canonical UUIDv7 (RFC 9562 §4). Called for every entry of a page, hence
/// without a branch per byte.
fn is_uuid_v7(id: &[u8]) -> bool {
    let hyphens = [8, 13, 18, 23].iter().filter(|at| id.get(**at) == Some(&b'-')).count();
    let digits =
        id.iter().filter(|byte| byte.is_ascii_digit() | matches!(byte, b'a'..=b'f')).count();
    id.get(14) == Some(&b'7') && hyphens == 4 && digits == UUID_CHARS - 4
}

const UUID_CHARS: usize = 36;

#[cfg(test)]
mod tests;
