//! The elements of a campaign's list, which other services write, too.

use push::template::Fields;
use serde::Deserialize;
use serde_json::Value;
use shared::UserId;

/// A user of a campaign.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) user_id: String,
    /// Instead of the addresses that the functions know.
    pub(super) token: Option<String>,
    pub(super) fields: Fields,
}

impl Element {
    /// `None` if the element names no user.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Form {
            user_id: Value,
            fcm_token: Option<String>,
            fields: Option<Fields>,
        }
        let form: Form = serde_json::from_slice(bytes).ok()?;
        let user_id = match form.user_id {
            Value::String(text) => text,
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => return None,
        };
        UserId::parse(&user_id).ok()?;
        let token = form.fcm_token.filter(|token| !token.is_empty());
        Some(Self { user_id, token, fields: form.fields.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_of_others_are_read_as_the_contract_says() {
        let parse = |json: &str| Element::parse(json.as_bytes());
        let element = parse(r#"{"userId":7,"fcmToken":"t","fields":{"n":1},"more":[]}"#).unwrap();
        assert_eq!((element.user_id.as_str(), element.token.as_deref()), ("7", Some("t")));
        assert_eq!(element.fields["n"], 1);
        let element = parse(r#"{"userId":"a","fcmToken":null}"#).unwrap();
        assert!(element.token.is_none() && element.fields.is_empty());
        assert!(parse(r#"{"userId":"a","fcmToken":""}"#).unwrap().token.is_none());
        for json in ["", "5", "{}", r#"{"userId":"a b"}"#, r#"{"userId":1.5}"#, r#"{"userId":[]}"#]
        {
            assert!(parse(json).is_none(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Element::parse(&bytes);
        }
    }
}
