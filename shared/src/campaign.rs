//! The elements of a campaign's list, and their only serialiser.

use serde_json::value::RawValue;

use crate::error::{Code, Error};
use crate::json::{Object, quoted};
use crate::limits::{CAMPAIGN_FIELDS_BYTES_MAX, CAMPAIGN_FIELDS_MAX, TEMPLATE_NAME_BYTES_MAX};
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

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

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
}
