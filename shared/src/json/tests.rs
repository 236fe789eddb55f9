//! Requests, and the errors about them.

use super::*;
use crate::limits::ELEMENT_DEPTH_MAX;
use proptest::prelude::*;

#[test]
fn errors_name_the_member() {
    let mut body = Object::parse(br#"{"a":"x","b":1,"n":null,"z":"\u0000"}"#).unwrap();
    assert_eq!(body.string("a").unwrap().as_deref(), Some("x"));
    assert_eq!(body.string("b").unwrap_err().field_name(), Some("b"));
    assert_eq!(body.string("n").unwrap(), None);
    assert_eq!(body.string("z").unwrap_err().code(), Code::InvalidField);
    assert_eq!(body.require("c").unwrap_err().code(), Code::MissingField);
    body.finish().unwrap();

    let error = Object::parse(br#"{"tite":1}"#).unwrap().finish().unwrap_err();
    assert_eq!((error.code(), error.field_name()), (Code::UnknownField, Some("tite")));
}

#[test]
fn rejects_bodies_that_are_not_objects() {
    for bad in ["", "[]", "1", "{", "{\"a\":1,\"a\":2}", "{}x", "{\"a\":01}", "nul"] {
        let error = Object::parse(bad.as_bytes()).err().expect(bad);
        assert_eq!(error.code(), Code::BadJson, "{bad}");
    }
    assert_eq!(Object::parse(b"{\"a\":\"\xff\"}").err().unwrap().code(), Code::BadJson);
}

#[test]
fn inspects_without_parsing() {
    let shape = |json| inspect(json);
    assert_eq!(shape("1"), Shape { depth: 0, has_nul: false });
    assert_eq!(shape(r#"{"a":[{"b":"}]\"["}]}"#), Shape { depth: 3, has_nul: false });
    assert!(shape(r#"{"a":"x\u0000"}"#).has_nul);
    assert!(shape(r#"["\\\u0000"]"#).has_nul);
    assert!(!shape(r#"["\\u0000"]"#).has_nul);
}

#[test]
fn elements_that_a_reader_might_not_parse_are_not_shown() {
    let nested = |depth: usize| "[".repeat(depth - 1) + "{}" + &"]".repeat(depth - 1);
    assert!(value_text(nested(ELEMENT_DEPTH_MAX).as_bytes()).is_some());
    assert!(value_text(nested(ELEMENT_DEPTH_MAX + 1).as_bytes()).is_none());
    let object = |depth: usize| format!("{{\"a\":{}}}", nested(depth - 1));
    assert!(object_text(object(ELEMENT_DEPTH_MAX).as_bytes()).is_some());
    assert!(object_text(object(100_000).as_bytes()).is_none());
}

proptest! {
    #[test]
    fn agrees_with_a_parser(value in arbitrary_json()) {
        let text = value.to_string();
        let shape = inspect(&text);
        prop_assert_eq!(shape.depth, depth_of(&value));
        prop_assert_eq!(shape.has_nul, has_nul(&value));
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(object) = Object::parse(&bytes) { let _ = object.finish(); }
        let _ = inspect(&String::from_utf8_lossy(&bytes));
    }
}

fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "[\"\\\\\\[\\]{}a\u{0}u]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec(("[\"\\\\\u{0}a]{0,3}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn depth_of(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(has_nul),
        serde_json::Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}
