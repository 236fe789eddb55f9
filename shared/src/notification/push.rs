//! The member `push` of a create: whether, when and how a notification also goes to the user's
//! devices. It is not part of the notification itself: neither stored with it nor published.

use crate::error::Error;
use crate::json::{Object, quoted};
use crate::limits::{PUSH_AFTER_S_MAX, PUSH_COLLAPSE_CHARS_MAX, PUSH_TTL_S_MAX};

/// The condition, evaluated when the push is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushWhen {
    /// None.
    Always,
    /// No hub holds a socket of the user.
    Offline,
    /// The notification is unread.
    Unread,
    /// No push.
    Never,
}

impl PushWhen {
    pub const ALL: [PushWhen; 4] =
        [PushWhen::Always, PushWhen::Offline, PushWhen::Unread, PushWhen::Never];

    pub fn as_str(self) -> &'static str {
        match self {
            PushWhen::Always => "always",
            PushWhen::Offline => "offline",
            PushWhen::Unread => "unread",
            PushWhen::Never => "never",
        }
    }
}

/// How important a push is, in the words of RFC 8030.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushUrgency {
    VeryLow,
    Low,
    Normal,
    High,
}

impl PushUrgency {
    pub const ALL: [PushUrgency; 4] =
        [PushUrgency::VeryLow, PushUrgency::Low, PushUrgency::Normal, PushUrgency::High];

    pub fn as_str(self) -> &'static str {
        match self {
            PushUrgency::VeryLow => "very-low",
            PushUrgency::Low => "low",
            PushUrgency::Normal => "normal",
            PushUrgency::High => "high",
        }
    }
}

/// A validated `push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOptions {
    pub when: PushWhen,
    /// Seconds between the create and the push.
    pub after_s: i64,
    /// Seconds from then on after which the push is worthless.
    pub ttl_s: Option<i64>,
    pub urgency: Option<PushUrgency>,
    /// Pushes with the same text replace each other on the device.
    pub collapse: Option<String>,
}

impl PushOptions {
    /// Takes the optional member `push` of a create request.
    ///
    /// # Errors
    /// `missing_field`, `invalid_field`, `limit_exceeded` or `unknown_field`, naming the member.
    pub fn take_from(request: &mut Object<'_>) -> Result<Option<Self>, Error> {
        let Some(value) = request.take("push") else { return Ok(None) };
        let mut object = Object::parse_nested(value, "push")?;
        let options = Self::parse(&mut object)?;
        object.finish()?;
        Ok(Some(options))
    }

    /// Parses the text of [`PushOptions::to_json`].
    ///
    /// # Errors
    /// As [`PushOptions::take_from`].
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Self::parse(&mut Object::parse(json.as_bytes())?)
    }

    fn parse(object: &mut Object<'_>) -> Result<Self, Error> {
        let when = word(object, "when", PushWhen::ALL.map(|when| (when.as_str(), when)))?;
        let urgencies = PushUrgency::ALL.map(|urgency| (urgency.as_str(), urgency));
        Ok(Self {
            when: when.ok_or_else(|| object.missing("when"))?,
            after_s: object.integer("afterSeconds", 0..=PUSH_AFTER_S_MAX)?.unwrap_or(0),
            ttl_s: object.integer("ttlSeconds", 1..=PUSH_TTL_S_MAX)?,
            urgency: word(object, "urgency", urgencies)?,
            collapse: collapse(object)?,
        })
    }

    /// `{"when","afterSeconds"?,"ttlSeconds"?,"urgency"?,"collapse"?}`, one text for each value.
    pub fn to_json(&self) -> String {
        let mut json = format!("{{\"when\":\"{}\"", self.when.as_str());
        if self.after_s > 0 {
            json.push_str(&format!(",\"afterSeconds\":{}", self.after_s));
        }
        if let Some(ttl_s) = self.ttl_s {
            json.push_str(&format!(",\"ttlSeconds\":{ttl_s}"));
        }
        if let Some(urgency) = self.urgency {
            json.push_str(&format!(",\"urgency\":\"{}\"", urgency.as_str()));
        }
        if let Some(collapse) = &self.collapse {
            json.push_str(",\"collapse\":");
            json.push_str(&quoted(collapse));
        }
        json.push('}');
        json
    }

    /// The time after which the push is worthless, in milliseconds since the Unix epoch, for a
    /// notification that was created at `created_at_ms` and expires at `expires_at_ms`.
    pub fn deadline_ms(&self, created_at_ms: i64, expires_at_ms: Option<i64>) -> i64 {
        let lifetime_s = self.after_s + self.ttl_s.unwrap_or(PUSH_TTL_S_MAX);
        let deadline_ms = created_at_ms.saturating_add(lifetime_s * 1000);
        expires_at_ms.map_or(deadline_ms, |ms| ms.min(deadline_ms))
    }
}

/// Takes an optional word of a list.
fn word<T: Copy, const N: usize>(
    object: &mut Object<'_>,
    name: &str,
    words: [(&str, T); N],
) -> Result<Option<T>, Error> {
    let Some(text) = object.string(name)? else { return Ok(None) };
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.map(Some).ok_or_else(|| {
        let all = words.map(|(word, _)| word).join(", ");
        object.invalid(name, &format!("must be one of {all}"))
    })
}

fn collapse(object: &mut Object<'_>) -> Result<Option<String>, Error> {
    let Some(text) = object.string("collapse")? else { return Ok(None) };
    if text.is_empty() {
        return Err(object.invalid("collapse", "must not be empty"));
    }
    match text.chars().count() {
        chars if chars > PUSH_COLLAPSE_CHARS_MAX => {
            let most = PUSH_COLLAPSE_CHARS_MAX;
            let problem = format!("has {chars} characters, at most {most} are allowed");
            Err(object.beyond("collapse", &problem))
        }
        _ => Ok(Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn take(push: &str) -> Result<Option<PushOptions>, Error> {
        let body = format!("{{\"push\":{push}}}");
        PushOptions::take_from(&mut Object::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn options_are_read_back_as_they_were_written() {
        for (given, written) in [
            (r#"{"when":"always"}"#, r#"{"when":"always"}"#),
            (r#"{"afterSeconds":0,"when":"never","ttlSeconds":null}"#, r#"{"when":"never"}"#),
            (
                r#"{"collapse":"a\"é","urgency":"very-low","ttlSeconds":1,"afterSeconds":3600.0,
                    "when":"unread"}"#,
                r#"{"when":"unread","afterSeconds":3600,"ttlSeconds":1,"urgency":"very-low","collapse":"a\"é"}"#,
            ),
        ] {
            let options = take(given).unwrap().unwrap();
            assert_eq!(options.to_json(), written);
            assert_eq!(PushOptions::from_json(written).unwrap(), options);
        }
        assert_eq!(take("null").unwrap(), None);
    }

    #[test]
    fn names_the_member_that_is_wrong() {
        let long = format!(r#"{{"when":"always","collapse":"{}"}}"#, "é".repeat(65));
        for (given, code, field) in [
            ("5", Code::InvalidField, "push"),
            ("{}", Code::MissingField, "push.when"),
            (r#"{"when":"later"}"#, Code::InvalidField, "push.when"),
            (r#"{"when":"unread","afterSeconds":3601}"#, Code::LimitExceeded, "push.afterSeconds"),
            (r#"{"when":"unread","ttlSeconds":0}"#, Code::LimitExceeded, "push.ttlSeconds"),
            (r#"{"when":"unread","ttlSeconds":2419201}"#, Code::LimitExceeded, "push.ttlSeconds"),
            (r#"{"when":"unread","urgency":"HIGH"}"#, Code::InvalidField, "push.urgency"),
            (r#"{"when":"unread","collapse":""}"#, Code::InvalidField, "push.collapse"),
            (&long, Code::LimitExceeded, "push.collapse"),
            (r#"{"when":"unread","sound":"x"}"#, Code::UnknownField, "push.sound"),
        ] {
            let error = take(given).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{given}");
        }
    }

    #[test]
    fn the_deadline_counts_from_the_time_of_the_push() {
        let options = take(r#"{"when":"always","afterSeconds":10,"ttlSeconds":5}"#).unwrap();
        let options = options.unwrap();
        assert_eq!(options.deadline_ms(1_000, None), 16_000);
        assert_eq!(options.deadline_ms(1_000, Some(2_000)), 2_000);
        assert_eq!(options.deadline_ms(1_000, Some(20_000)), 16_000);
    }
}
