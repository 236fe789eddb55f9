//! Parses a message in exactly the form that `shared/lua/feed_append.lua` publishes. A JSON parser
//! takes three times as long, and most messages of a hub have this form.
//!
//! It finds the end of the notification by its brackets and strings, so that no later byte can be
//! taken for a part of it; values are not validated. Messages with any difference in the envelope
//! are left to the JSON parser.

use std::borrow::Cow;

use super::Message;
use crate::ids::check_id;
use crate::trace;

/// `None` if the message has another form or is invalid.
pub(super) fn parse(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("{\"notification\":")?;
    let user_id = user_id(rest)?;
    check_id(user_id, "user id").ok()?;
    let (notification, rest) = rest.split_at_checked(object_end(rest)?)?;
    let rest = rest.strip_prefix(",\"bw\":{\"epoch\":\"")?;
    let (epoch, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(",\"seq\":")?.strip_suffix("}}")?;
    let (seq, trace) = match rest.strip_suffix('"') {
        None => (rest, None),
        Some(rest) => {
            let (seq, trace) = rest.split_once(",\"trace\":\"")?;
            (seq, Some(trace).filter(|trace| trace::is_valid(trace)))
        }
    };
    let is_plain = !epoch.contains('\\') && !epoch.bytes().any(|byte| byte < 0x20);
    let is_number = seq.starts_with(|c: char| matches!(c, '1'..='9'))
        && seq.bytes().all(|byte| byte.is_ascii_digit());
    let seq = seq.parse().ok().filter(|_| is_plain && is_number)?;
    let position = Some((Cow::Borrowed(epoch), seq));
    Some(Message { user_id: Cow::Borrowed(user_id), notification, position, trace })
}

/// The user id at the position where Bellwire's serialiser writes it.
pub(super) fn user_id(notification: &str) -> Option<&str> {
    let rest = notification.strip_prefix("{\"id\":\"")?;
    let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let rest = rest.get(end..)?.strip_prefix("\",\"userId\":\"")?;
    let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
    rest.get(end..)?.starts_with('"').then(|| rest.get(..end))?
}

/// The index after the object that the text begins with.
fn object_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
}

/// The index after the quote that ends the string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)? + 1;
        if bytes.get(at - 1) == Some(&b'"') {
            return Some(at);
        }
        at += 1; // the escaped character
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::UserId;
    use crate::notification::{Draft, Notification};
    use crate::script;

    fn published(notification: &str, epoch: &str, seq: &str) -> String {
        format!(
            "{{\"notification\":{notification},\"bw\":{{\"epoch\":\"{epoch}\",\"seq\":{seq}}}}}"
        )
    }

    fn notification(title: &str, data: Option<String>) -> Notification {
        let user_id = UserId::parse("alice").unwrap();
        let title = title.to_owned();
        let draft = Draft { user_id, title, body: None, kind: None, data, expires_at_ms: None };
        Notification { id: "0190-7".to_owned(), seq: 7, draft, created_at_ms: 0, quiet: None }
    }

    #[test]
    fn published_messages_have_this_form() {
        let place = "',\"bw\":{\"epoch\":\"' .. epoch .. '\",\"seq\":'";
        let frame = ["'{\"notification\":' .. json .. place", place];
        for part in frame {
            assert!(script::FEED_PUSH.source.contains(part), "{part}");
        }
        let json = notification("x", None).to_json();
        let text = published(&json, "e", "7");
        let message = parse(&text).unwrap();
        assert_eq!((&*message.user_id, message.notification), ("alice", json.as_str()));
        assert_eq!(message.position, Some(("e".into(), 7)));
    }

    #[test]
    fn a_trace_is_behind_the_seq() {
        assert!(script::FEED_PUSH.source.contains("trace = ',\"trace\":\"' .. "));
        let json = notification("x", None).to_json();
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = |trace: &str| published(&json, "e", &format!("7,\"trace\":\"{trace}\""));
        let text = traced(trace);
        let message = parse(&text).unwrap();
        assert_eq!(message.trace, Some(trace));
        assert_eq!(message.position, Some(("e".into(), 7)));
        let other = traced("made up");
        let message = parse(&other).unwrap();
        assert_eq!((message.trace, message.position), (None, Some(("e".into(), 7))));
        // The JSON parser ignores it.
        let other = format!(" {text}");
        let message = Message::parse(other.as_bytes()).unwrap();
        assert_eq!((message.trace, message.position), (None, Some(("e".into(), 7))));
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        let json = notification("x", None).to_json();
        let good = published(&json, "e", "7");
        assert!(parse(&good).is_some());
        for other in [
            published(&json, "\\u0065", "7"),
            published(&json, "e", "07"),
            published(&json, "e", "-7"),
            published(&json, "e", "0"),
            published(&json, "e", "9223372036854775808"),
            published(&json, "e", "7,\"x\":1"),
            published(&json, "e\",\"x\":\"", "7"),
            published(&json.replace("alice", "al ice"), "e", "7"),
            published(&json.replace("\"alice\"", "5"), "e", "7"),
            published("{\"id\":\"x\",\"userId\":\"a\"},\"y\":{}", "e", "7"),
            published("{\"id\":\"x\",\"userId\":\"a\",\"t\":\"}", "e", "7"),
            published("{\"id\":\"x\",\"userId\":\"a\"]", "e", "7") + "}",
            format!(" {good}"),
            format!("{good} "),
            good.replace("\"bw\"", "\"bv\""),
            good.replace("\"notification\":", "\"notification\": "),
            "{\"notification\":".to_owned(),
        ] {
            assert_eq!(parse(&other), None, "{other}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\],:ä\n\u{1f600}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a\"\\\\}]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Both parsers agree on every published message, and on near misses wherever these are
        /// JSON.
        #[test]
        fn agrees_with_the_parser(
            title in "[a\"\\\\}\\]]{0,6}",
            data in value(),
            cut in prop::option::of((any::<prop::sample::Index>(), "[{}\"\\\\,a]{0,2}")),
        ) {
            let json = notification(&title, Some(data.to_string())).to_json();
            let mut text = published(&json, "epoch-1", "7");
            match cut {
                None => {
                    let message = parse(&text).unwrap();
                    prop_assert_eq!(message.notification, json);
                    prop_assert_eq!(Ok(message), Message::parse_any(&text));
                }
                Some((at, instead)) => {
                    let at = at.index(text.len());
                    prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(at + 1));
                    text.replace_range(at..=at, &instead);
                    if let (Some(message), Ok(parsed)) = (parse(&text), Message::parse_any(&text)) {
                        prop_assert_eq!(message, parsed);
                    }
                }
            }
        }
    }
}
