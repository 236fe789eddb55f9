//! Digests of requests as parsed JSON: equivalent spellings of a request have the same digest.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::notification::{Draft, PushOptions};

/// Lower-case hex SHA-256 of a create's content. The order of members, white space and the spelling
/// of strings do not matter; numbers are compared as written, since parsing rounds them.
pub fn of_create(draft: &Draft, push: Option<&PushOptions>) -> String {
    let mut hasher = Sha256::new();
    text(&mut hasher, draft.user_id.as_str());
    text(&mut hasher, &draft.title);
    optional(&mut hasher, draft.body.as_deref());
    optional(&mut hasher, draft.kind.as_deref());
    optional(&mut hasher, draft.expires_at_ms.map(|ms| ms.to_string()).as_deref());
    match &draft.data {
        None => hasher.update(b"-"),
        Some(json) => value(&mut hasher, json),
    }
    // Without it the digest is that of earlier versions, whose keys may still be valid.
    if let Some(push) = push {
        text(&mut hasher, &push.to_json());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case hex SHA-256 of an import's content: that of a create, and the times of its history, in
/// milliseconds since the Unix epoch.
pub fn of_import(draft: &Draft, created_at_ms: i64, read_at_ms: Option<i64>) -> String {
    let content = of_create(draft, None);
    let read_at_ms = read_at_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
    of_text(&format!("{content} {created_at_ms} {read_at_ms}"))
}

/// Lower-case hex SHA-256 of a text that is too long or too secret to be stored itself.
pub fn of_text(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn optional(hasher: &mut Sha256, value: Option<&str>) {
    match value {
        None => hasher.update(b"-"),
        Some(value) => text(hasher, value),
    }
}

/// Lengths come first, so that different sequences of texts never hash the same bytes.
fn text(hasher: &mut Sha256, text: &str) {
    hasher.update(format!("\"{}:", text.len()));
    hasher.update(text);
}

/// Recursion is bounded by the maximum depth of `data`.
fn value(hasher: &mut Sha256, json: &str) {
    let json = json.trim();
    if json.starts_with('{')
        && let Ok(Members(mut members)) = serde_json::from_str(json)
    {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        hasher.update(format!("{{{}:", members.len()));
        for (name, member) in members {
            text(hasher, &name);
            value(hasher, member.get());
        }
    } else if json.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json)
    {
        hasher.update(format!("[{}:", items.len()));
        items.iter().for_each(|item| value(hasher, item.get()));
    } else if json.starts_with('"')
        && let Ok(string) = serde_json::from_str::<String>(json)
    {
        text(hasher, &string);
    } else {
        hasher.update(format!("={}:{json}", json.len()));
    }
}

/// Any object, including one with duplicate names: `data` is not validated.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Object;

    fn digest(json: &str) -> String {
        let mut object = Object::parse(json.as_bytes()).unwrap();
        let draft = Draft::take_from(&mut object).unwrap();
        of_create(&draft, PushOptions::take_from(&mut object).unwrap().as_ref())
    }

    #[test]
    fn equivalent_spellings_have_the_same_digest() {
        let one = digest(r#"{"userId":"a","title":"t","data":{"x":[1,{"y":"é"}],"z":null}}"#);
        let same = digest(
            r#" {"data": {"z":null , "x":[ 1, {"y":"\u00e9"} ]}, "title":"\u0074", "userId":"a" }"#,
        );
        assert_eq!(one, same);
    }

    #[test]
    fn different_requests_have_different_digests() {
        let all = [
            r#"{"userId":"a","title":"t"}"#,
            r#"{"userId":"b","title":"t"}"#,
            r#"{"userId":"a","title":"t","body":"t"}"#,
            r#"{"userId":"a","title":"t","kind":"t"}"#,
            r#"{"userId":"a","title":"t","data":"t"}"#,
            r#"{"userId":"a","title":"t","data":[]}"#,
            r#"{"userId":"a","title":"t","data":{}}"#,
            r#"{"userId":"a","title":"t","data":[[],[]]}"#,
            r#"{"userId":"a","title":"t","data":[[[]]]}"#,
            r#"{"userId":"a","title":"t","data":12345678901234567890}"#,
            r#"{"userId":"a","title":"t","data":12345678901234567891}"#,
            r#"{"userId":"a","title":"t","data":"12345678901234567891"}"#,
            r#"{"userId":"a","title":"t","data":{"a":1,"b":2}}"#,
            r#"{"userId":"a","title":"t","data":{"a":2,"b":1}}"#,
            r#"{"userId":"a","title":"t","expiresAt":"2030-01-01T00:00:00Z"}"#,
            r#"{"userId":"a","title":"t","push":{"when":"always"}}"#,
            r#"{"userId":"a","title":"t","push":{"when":"never"}}"#,
            r#"{"userId":"a","title":"t","push":{"when":"always","ttlSeconds":1}}"#,
            r#"{"userId":"a","title":"t","data":{},"push":{"when":"always"}}"#,
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(|json| digest(json)).collect();
        assert_eq!(digests.len(), all.len());
    }
}
