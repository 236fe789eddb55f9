//! The elements of a campaign's list, and their only serialiser.

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::Object;
use crate::{PushToken, UserId};

/// A recipient of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user_id: UserId,
    /// Absent for a user without a device; such users stay in the list.
    pub fcm_token: Option<PushToken>,
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
        object.finish()?;
        Ok(Self { user_id, fcm_token })
    }

    /// `{"userId":"…","fcmToken":"…"?}`
    pub fn to_json(&self) -> String {
        // Ids contain no characters that need escapes.
        let user = &self.user_id;
        match &self.fcm_token {
            None => format!("{{\"userId\":\"{user}\"}}"),
            Some(token) => {
                let token = serde_json::Value::from(token.as_str());
                format!("{{\"userId\":\"{user}\",\"fcmToken\":{token}}}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        ] {
            let error = parse(given).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{given}");
        }
    }
}
