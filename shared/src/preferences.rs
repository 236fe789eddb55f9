//! What a user wants to receive. Stored as the JSON text that [`Preferences::to_json`] writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::device::time_zone_from;
use crate::error::Error;
use crate::json::Object;
use crate::limits::{KIND_CHARS_MAX, PREFERENCE_KINDS_MAX};

/// A user's preferences; what is absent is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// `false`: no pushes at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<bool>,
    /// By the `kind` of a notification.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, KindPreference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

/// What a user wants of one kind of notification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindPreference {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<bool>,
}

/// A time of each day in which no push is sent; over midnight if `to` is before `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuietHours {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, never equal to `from`.
    pub to: String,
    /// An IANA name.
    pub time_zone: String,
}

impl Preferences {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// `bad_json`, `missing_field`, `invalid_field`, `limit_exceeded` or `unknown_field`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let push = object.boolean("push")?;
        let kinds = object.take("kinds").map(kinds).transpose()?.unwrap_or_default();
        let quiet_hours = object.take("quietHours").map(quiet_hours).transpose()?;
        object.finish()?;
        Ok(Self { push, kinds, quiet_hours })
    }

    /// Parses what [`Preferences::to_json`] wrote; members of a later version are ignored.
    ///
    /// # Errors
    /// The text is something else.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The preferences as JSON.
    pub fn to_json(&self) -> String {
        // Writing these types cannot fail.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Whether the user wants pushes of notifications of this kind.
    pub fn wants_push(&self, kind: Option<&str>) -> bool {
        let of_kind = kind.and_then(|kind| self.kinds.get(kind)).and_then(|known| known.push);
        self.push != Some(false) && of_kind != Some(false)
    }
}

fn kinds(value: &RawValue) -> Result<BTreeMap<String, KindPreference>, Error> {
    let object = Object::parse_nested(value, "kinds")?;
    let most = PREFERENCE_KINDS_MAX;
    let members: Vec<_> = object.members().collect();
    if members.len() > most {
        let problem = format!("has {} kinds, at most {most} are allowed", members.len());
        return Err(Error::field(
            crate::Code::LimitExceeded,
            "kinds",
            format!("`kinds` {problem}"),
        ));
    }
    let mut kinds = BTreeMap::new();
    for (name, value) in members {
        let problem = if name.is_empty() {
            Some("has an empty name".to_owned())
        } else if name.chars().count() > KIND_CHARS_MAX {
            Some(format!("has a name of more than {KIND_CHARS_MAX} characters"))
        } else if name.contains('\0') {
            Some("has a name with U+0000".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            let detail = format!("`kinds` {problem}");
            return Err(Error::field(crate::Code::InvalidField, "kinds", detail));
        }
        let mut object = Object::parse_nested(value, &format!("kinds.{name}"))?;
        let (push, feed) = (object.boolean("push")?, object.boolean("feed")?);
        object.finish()?;
        kinds.insert(name.to_owned(), KindPreference { push, feed });
    }
    Ok(kinds)
}

fn quiet_hours(value: &RawValue) -> Result<QuietHours, Error> {
    let mut object = Object::parse_nested(value, "quietHours")?;
    let (from, to) = (time_of_day(&mut object, "from")?, time_of_day(&mut object, "to")?);
    if from == to {
        return Err(object.invalid("to", "must differ from `quietHours.from`"));
    }
    let time_zone = time_zone_from(&mut object, "timeZone")?;
    let time_zone = time_zone.ok_or_else(|| object.missing("timeZone"))?;
    object.finish()?;
    Ok(QuietHours { from, to, time_zone })
}

/// `HH:MM`, from `00:00` to `23:59`.
fn time_of_day(object: &mut Object<'_>, name: &str) -> Result<String, Error> {
    let text = object.string(name)?.ok_or_else(|| object.missing(name))?;
    let is_valid = match text.as_bytes() {
        [h @ b'0'..=b'2', h2 @ b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9'] => {
            *h < b'2' || *h2 <= b'3'
        }
        _ => false,
    };
    match is_valid {
        true => Ok(text),
        false => Err(object.invalid(name, "must be a time such as 07:30")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Code;

    fn parse(body: &Value) -> Result<Preferences, Error> {
        Preferences::parse(body.to_string().as_bytes())
    }

    #[test]
    fn what_is_written_is_what_was_given() {
        for body in [
            json!({}),
            json!({"push": false}),
            json!({
                "push": true,
                "kinds": {"comment": {"push": false}, "é.x": {"feed": false, "push": true}},
                "quietHours": {"from": "22:00", "to": "07:30", "timeZone": "Europe/Berlin"},
            }),
        ] {
            let written = parse(&body).unwrap().to_json();
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), body);
            assert_eq!(Preferences::from_json(&written).unwrap(), parse(&body).unwrap());
        }
        let later = r#"{"push":false,"more":1,"kinds":{"a":{"push":false,"mail":true}}}"#;
        assert!(!Preferences::from_json(later).unwrap().wants_push(None));
    }

    #[test]
    fn what_is_absent_is_wanted() {
        let some = parse(&json!({"kinds": {"a": {"push": false}, "b": {"feed": false}}})).unwrap();
        for (kind, push) in [(None, true), (Some("a"), false), (Some("b"), true)] {
            assert_eq!(some.wants_push(kind), push, "{kind:?}");
        }
        let none = parse(&json!({"push": false, "kinds": {"a": {"push": true}}})).unwrap();
        assert!(!none.wants_push(Some("a")));
    }

    #[test]
    fn an_error_names_the_member() {
        let hours = |from: &str, to: &str, zone: &str| json!({"quietHours": {"from": from, "to": to, "timeZone": zone}});
        let many: BTreeMap<String, Value> = (0..51).map(|at| (at.to_string(), json!({}))).collect();
        for (body, code, field) in [
            (json!({"push": "no"}), Code::InvalidField, "push"),
            (json!({"pushes": true}), Code::UnknownField, "pushes"),
            (json!({"kinds": []}), Code::InvalidField, "kinds"),
            (json!({"kinds": {"": {}}}), Code::InvalidField, "kinds"),
            (json!({"kinds": {"x".repeat(65): {}}}), Code::InvalidField, "kinds"),
            (json!({"kinds": {"a": true}}), Code::InvalidField, "kinds.a"),
            (json!({"kinds": {"a": {"push": 1}}}), Code::InvalidField, "kinds.a.push"),
            (json!({"kinds": {"a": {"mail": true}}}), Code::UnknownField, "kinds.a.mail"),
            (json!({ "kinds": many }), Code::LimitExceeded, "kinds"),
            (json!({"quietHours": {}}), Code::MissingField, "quietHours.from"),
            (hours("24:00", "07:00", "UTC"), Code::InvalidField, "quietHours.from"),
            (hours("22:00", "7:00", "UTC"), Code::InvalidField, "quietHours.to"),
            (hours("22:00", "22:00", "UTC"), Code::InvalidField, "quietHours.to"),
            (hours("22:00", "07:00", "Mars"), Code::InvalidField, "quietHours.timeZone"),
        ] {
            let error = parse(&body).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{body}");
        }
    }
}
