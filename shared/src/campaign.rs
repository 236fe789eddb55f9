//! The elements of a campaign's list, their only serialiser, and what a worker reads from them.

use std::fmt;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::json::{Object, quoted};
use crate::limits::{CAMPAIGN_FIELDS_BYTES_MAX, CAMPAIGN_FIELDS_MAX, TEMPLATE_NAME_BYTES_MAX};
use crate::notification::user_id_from_json;
use crate::template::is_field_name;
use crate::{PushToken, UserId};

/// A recipient of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user_id: UserId,
    /// Absent for a user without a device; such users stay in the list.
    pub fcm_token: Option<PushToken>,
    /// Names and texts that fill a template, as they were sent.
    pub fields: Vec<(String, String)>,
}

impl Recipient {
    /// Parses one item of a request; `path` names it in errors.
    ///
    /// # Errors
    /// `missing_field`, `invalid_field`, `invalid_id`, `limit_exceeded` or `unknown_field`.
    pub fn parse(item: &RawValue, path: &str) -> Result<Self, Error> {
        let mut object = Object::parse_nested(item, path)?;
        let user_id = object.user_id("userId")?;
        let fcm_token = PushToken::take(&mut object, "fcmToken")?;
        let fields = match object.take("fields") {
            Some(fields) => parse_fields(fields, &format!("{path}.fields"))?,
            None => Vec::new(),
        };
        object.finish()?;
        Ok(Self { user_id, fcm_token, fields })
    }

    /// `{"userId":"…","fcmToken":"…"?,"fields":{"…":"…"}?}`
    pub fn to_json(&self) -> String {
        // Ids contain no characters that need escapes.
        let mut json = format!("{{\"userId\":\"{}\"", self.user_id);
        if let Some(token) = &self.fcm_token {
            json += &format!(",\"fcmToken\":{}", quoted(token.as_str()));
        }
        if !self.fields.is_empty() {
            let fields =
                self.fields.iter().map(|(name, text)| format!("\"{name}\":{}", quoted(text)));
            json += &format!(",\"fields\":{{{}}}", fields.collect::<Vec<_>>().join(","));
        }
        json.push('}');
        json
    }
}

fn parse_fields(value: &RawValue, path: &str) -> Result<Vec<(String, String)>, Error> {
    let mut object = Object::parse_nested(value, path)?;
    // A `null` is left, and named by `finish`.
    let names: Vec<String> = object.members().map(|(name, _)| name.to_owned()).collect();
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        if !is_field_name(&name) {
            let problem = format!(
                "has an invalid name: 1 to {TEMPLATE_NAME_BYTES_MAX} of A-Z a-z 0-9 _ . - are allowed"
            );
            return Err(object.invalid(&name, &problem));
        }
        if let Some(text) = object.string(&name)? {
            fields.push((name, text));
        }
    }
    object.finish()?;
    let bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
    let problem = if fields.len() > CAMPAIGN_FIELDS_MAX {
        format!("has {} members, at most {CAMPAIGN_FIELDS_MAX} are allowed", fields.len())
    } else if bytes > CAMPAIGN_FIELDS_BYTES_MAX {
        format!("has {bytes} bytes, at most {CAMPAIGN_FIELDS_BYTES_MAX} are allowed")
    } else {
        return Ok(fields);
    };
    Err(Error::field(Code::LimitExceeded, path, format!("`{path}` {problem}")))
}

/// A user as a worker reads them from an element, which another service may have written.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub user_id: UserId,
    /// Not checked, and not empty.
    pub fcm_token: Option<String>,
    /// Values of any type.
    pub fields: Map<String, Value>,
}

impl Target {
    /// Parses an element; unknown members count for nothing. `None` if it names no user.
    #[must_use]
    pub fn parse(element: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Element<'a> {
            #[serde(borrow)]
            user_id: &'a RawValue,
            #[serde(default)]
            fcm_token: Value,
            #[serde(default)]
            fields: Value,
        }
        let element: Element<'_> = serde_json::from_slice(element).ok()?;
        let user_id = user_id_from_json(element.user_id.get())?.ok()?;
        let fcm_token = match element.fcm_token {
            Value::String(token) if !token.is_empty() => Some(token),
            _ => None,
        };
        let fields = match element.fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Some(Self { user_id, fcm_token, fields })
    }
}

impl fmt::Debug for Target {
    /// Without the push token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_token = self.fcm_token.is_some();
        write!(f, "Target({}, token: {has_token}, {} fields)", self.user_id, self.fields.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Code;

    fn parse(json: &str) -> Result<Recipient, Error> {
        Recipient::parse(serde_json::from_str(json).unwrap(), "users[3]")
    }

    #[test]
    fn writes_the_documented_json() {
        for (given, written) in [
            (r#"{"userId":"a"}"#, r#"{"userId":"a"}"#),
            (r#"{"userId":"a","fcmToken":null}"#, r#"{"userId":"a"}"#),
            (
                r#"{ "fcmToken" : "t\"\u00e9", "userId" : 7 }"#,
                r#"{"userId":"7","fcmToken":"t\"é"}"#,
            ),
            (r#"{"userId":"a","fields":{}}"#, r#"{"userId":"a"}"#),
            (
                r#"{"userId":"a","fields":{"z.1":"\u00e9\"","a":""},"fcmToken":"t"}"#,
                r#"{"userId":"a","fcmToken":"t","fields":{"z.1":"é\"","a":""}}"#,
            ),
        ] {
            assert_eq!(parse(given).unwrap().to_json(), written);
        }
    }

    #[test]
    fn names_the_item_and_the_member() {
        for (given, code, field) in [
            ("5", Code::InvalidField, "users[3]"),
            ("{}", Code::MissingField, "users[3].userId"),
            (r#"{"userId":"a b"}"#, Code::InvalidId, "users[3].userId"),
            (r#"{"userId":"a","fcmToken":""}"#, Code::InvalidField, "users[3].fcmToken"),
            (r#"{"userId":"a","token":"t"}"#, Code::UnknownField, "users[3].token"),
            (r#"{"userId":"a","fields":[]}"#, Code::InvalidField, "users[3].fields"),
            (r#"{"userId":"a","fields":{"x":1}}"#, Code::InvalidField, "users[3].fields.x"),
            (r#"{"userId":"a","fields":{"a b":"c"}}"#, Code::InvalidField, "users[3].fields.a b"),
        ] {
            let error = parse(given).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{given}");
        }
    }

    #[test]
    fn fields_are_bounded() {
        let with = |many: usize, bytes: usize| {
            let fields: Map<String, Value> =
                (0..many).map(|at| (format!("f{at:03}"), "x".repeat(bytes).into())).collect();
            parse(&serde_json::json!({"userId": "a", "fields": fields}).to_string())
        };
        assert_eq!(with(20, 47).unwrap().fields.len(), 20);
        for (many, bytes) in [(21, 1), (20, 48), (1, 1021)] {
            let error = with(many, bytes).unwrap_err();
            assert_eq!(error.code(), Code::LimitExceeded, "{many} of {bytes}");
            assert_eq!(error.field_name(), Some("users[3].fields"));
        }
    }

    #[test]
    fn a_worker_reads_what_anyone_wrote() {
        let ours = br#"{"userId":"a","fcmToken":"t","fields":{"x":"y"}}"#;
        let target = Target::parse(ours).unwrap();
        assert_eq!((target.user_id.as_str(), target.fcm_token.as_deref()), ("a", Some("t")));
        assert_eq!(target.fields["x"], "y");
        assert_eq!(format!("{target:?}"), "Target(a, token: true, 1 fields)");
        let foreign = br#" {"a":[1],"userId":7,"fcmToken":5,"fields":[]} "#;
        let target = Target::parse(foreign).unwrap();
        assert_eq!((target.user_id.as_str(), target.fcm_token), ("7", None));
        assert!(target.fields.is_empty());
        for bad in [&b""[..], b"7", b"{}", br#"{"userId":"a b"}"#, b"\xff", br#"{"userId":null}"#] {
            assert_eq!(Target::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_user_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Target::parse(&bytes);
        }

        #[test]
        fn a_worker_reads_what_was_written(
            id in "[A-Za-z0-9._~@+|-]{3,20}", token in prop::option::of("\\PC{1,20}"),
            fields in prop::collection::btree_map("[A-Za-z0-9_.-]{1,9}", "\\PC{0,20}", 0..5),
        ) {
            let given = serde_json::json!({"userId": id, "fcmToken": token, "fields": fields});
            let target = Target::parse(parse(&given.to_string()).unwrap().to_json().as_bytes());
            let target = target.unwrap();
            prop_assert_eq!(target.user_id.as_str(), id);
            prop_assert_eq!(target.fcm_token, token);
            prop_assert_eq!(Value::from(target.fields), given["fields"].clone());
        }
    }
}
