//! Messages of this and other services, and their parsing.

use super::*;
use crate::UserId;
use crate::limits::MARK_IDS_MAX;
use proptest::prelude::*;

#[test]
fn reads_ours_and_theirs() {
    let ours = br#"{"notification":{"id":"x","userId":"a","seq":5},"bw":{"epoch":"e","seq":5}}"#;
    let message = Message::parse(ours).unwrap();
    assert_eq!(message.user_id, "a");
    assert!(matches!(message.user_id, Cow::Borrowed(_)));
    assert_eq!(message.notification, r#"{"id":"x","userId":"a","seq":5}"#);
    assert_eq!(message.position, Some(("e".into(), 5)));
    let escaped = br#"{"notification":{"id":"\"","userId":"\u0061","userid":"b"}}"#;
    assert_eq!(Message::parse(escaped).unwrap().user_id, "a");

    let theirs = br#" { "x":[1], "notification" : { "userId" : 7, "a" : [ ] } , "bw":"?"} "#;
    let message = Message::parse(theirs).unwrap();
    assert_eq!(message.user_id, "7");
    assert_eq!(message.notification, r#"{ "userId" : 7, "a" : [ ] }"#);
    assert_eq!(message.position, None);
}

#[test]
fn says_why_a_message_is_undeliverable() {
    for bad in [
        "",
        "hello",
        "[]",
        r#"[{"userId":"a"},null]"#,
        "{}",
        r#"{"notification":1}"#,
        r#"{"notification":{}}"#,
        r#"{"notification":{"userId":null}}"#,
        r#"{"notification":{"userId":1.5}}"#,
        r#"{"notification":{"userId":"a b"}}"#,
        r#"{"notification":{"userId":"a"}"#,
    ] {
        assert!(Message::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(Message::parse(b"\xff").is_err());
}

#[test]
fn reads_read_marks() {
    let parse = |text: &str| ChannelEvent::parse(text.as_bytes());
    assert_eq!(
        parse(r#"{"type":"read","userId":"a","upTo":5,"unread":2,"new":[1]}"#),
        changed(Change::ReadUpTo(5), Some((2, 0)))
    );
    assert_eq!(
        parse(r#"{"unread":0,"ids":["x","y"],"userId":"a","type":"read","until":"~"}"#),
        changed(Change::ReadIds(vec!["x".to_owned(), "y".to_owned()]), Some((0, i64::MAX)))
    );
    let probe = ChannelEvent::Probe { hub: "h1".to_owned(), n: 7 };
    assert_eq!(parse(&ChannelEvent::probe("h1", 7)), Ok(probe));
    for other in [r#"{"type":"news"}"#, r#"{"type":"\u0072ead it"}"#] {
        assert_eq!(parse(other), Ok(ChannelEvent::Other), "{other}");
    }
}

fn changed(change: Change, unread: Option<(u32, i64)>) -> Result<ChannelEvent, &'static str> {
    let unread = unread.map(|(count, until_ms)| Unread { count, until_ms });
    Ok(ChannelEvent::Change { user_id: UserId::parse("a").unwrap(), change, unread })
}

#[test]
fn reads_removals() {
    let parse = |text: &str| ChannelEvent::parse(text.as_bytes());
    assert_eq!(
        parse(
            r#"{"type":"removed","userId":"a","ids":["x"],"unread":3,"until":"1970-01-01T00:00:01.000Z"}"#
        ),
        changed(Change::RemovedIds(vec!["x".to_owned()]), Some((3, 1000)))
    );
    assert_eq!(
        parse(r#"{"type":"removed","userId":"a","ids":["x"],"unread":null,"until":""}"#),
        changed(Change::RemovedIds(vec!["x".to_owned()]), None)
    );
    assert_eq!(
        parse(r#"{"type":"removed","userId":"a","all":true,"unread":0,"until":"~"}"#),
        changed(Change::RemovedAll, Some((0, i64::MAX)))
    );
}

#[test]
fn reads_places_of_quiet_notifications() {
    let quiet = |first, seq| {
        let user_id = UserId::parse("a").unwrap();
        Ok(ChannelEvent::Quiet { user_id, epoch: "e".to_owned(), first, seq })
    };
    let text = r#"{"type":"muted","userId":"a","bw":{"epoch":"e","seq":5}}"#;
    assert_eq!(ChannelEvent::parse(text.as_bytes()), quiet(5, 5));
    let text = r#"{"type":"muted","userId":"a","bw":{"epoch":"e","seq":505,"first":6}}"#;
    assert_eq!(ChannelEvent::parse(text.as_bytes()), quiet(6, 505));
    // As the script writes it. Existing gateways would take it apart as a notification otherwise.
    let start = "'{\"type\":\"muted\",\"userId\":\"' .. user .. '\"' .. place";
    assert!(crate::script::FEED_PUSH.source.contains(start));
}

#[test]
fn names_the_problem_of_an_invalid_event() {
    let too_many = vec!["x"; MARK_IDS_MAX + 1];
    let too_many = format!(r#"{{"type":"read","userId":"a","unread":1,"ids":{too_many:?}}}"#);
    for bad in [
        "",
        "whatever",
        "{}",
        r#"["read","a",1,null,1]"#,
        r#"{"type":1}"#,
        r#"{"type":"probe"}"#,
        r#"{"type":"probe","hub":"h","n":-1}"#,
        r#"{"type":"read"}"#,
        r#"{"type":"read","userId":"a","upTo":5}"#,
        r#"{"type":"read","userId":"a","unread":1}"#,
        r#"{"type":"read","userId":"a b","upTo":5,"unread":1}"#,
        r#"{"type":"read","userId":"a","upTo":-1,"unread":1}"#,
        r#"{"type":"read","userId":"a","upTo":5,"unread":-1}"#,
        r#"{"type":"read","userId":"a","upTo":"5","unread":1}"#,
        r#"{"type":"read","userId":"a","upTo":5,"ids":[],"unread":1}"#,
        r#"{"type":"read","userId":"a","ids":[7],"unread":1}"#,
        r#"{"type":"read","userId":"a","ids":["a b"],"unread":1}"#,
        r#"{"type":"muted","userId":"a"}"#,
        r#"{"type":"muted","userId":"a b","bw":{"epoch":"e","seq":1}}"#,
        r#"{"type":"muted","userId":"a","bw":{"epoch":"e","seq":0}}"#,
        r#"{"type":"muted","userId":"a","bw":{"seq":1}}"#,
        r#"{"type":"muted","userId":"a","bw":{"epoch":"e","seq":5,"first":6}}"#,
        r#"{"type":"muted","userId":"a","bw":{"epoch":"e","seq":5,"first":0}}"#,
        r#"{"type":"removed","userId":"a","unread":1}"#,
        r#"{"type":"removed","userId":"a","all":false,"unread":1}"#,
        r#"{"type":"removed","userId":"a","upTo":1,"unread":1}"#,
        r#"{"type":"removed","userId":"a","ids":["a b"],"unread":1}"#,
        r#"{"type":"removed","userId":"a","ids":["a"],"unread":-1}"#,
        &too_many,
    ] {
        assert!(ChannelEvent::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(ChannelEvent::parse(b"\xff").is_err());
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes);
        let _ = ChannelEvent::parse(&bytes);
    }

    /// JSON of the right shape gets further than random text.
    #[test]
    fn deliverable_messages_keep_their_bytes(
        user in prop_oneof![
            "\"[a-z:.]{0,3}\"", "-?[0-9]{1,22}", Just("null".to_owned()), Just("[]".to_owned()),
        ],
        members in "(,\"[a-z]{1,3}\" ?: ?(1e3|\"\\\\u00e4\"|[{][}]|null)){0,3}",
        bw in "(,\"bw\":([{](\"epoch\":\"e\")?,?(\"seq\":-?[0-9]{1,20})?[}]|7))?",
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let notification = format!("{{ \"userId\":{user}{members} }}");
        let text = format!("{{\"notification\":{notification}{bw}}}");
        match Message::parse(text.as_bytes()) {
            Ok(message) => {
                prop_assert_eq!(message.notification, &notification);
                prop_assert_eq!(&*message.user_id, user.trim_matches('"'));
                prop_assert!(message.position.is_none_or(|position| position.1 > 0));
            }
            Err(why) => prop_assert_ne!(why, "not UTF-8"),
        }
        let mut changed = text.into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        let _ = Message::parse(&changed);
    }

    #[test]
    fn events_of_any_form_are_parsed_or_rejected(
        kind in "read|removed|probe|x",
        user in "\"[a-z:]{0,3}\"|7",
        marks in "(,\"upTo\":-?[0-9]{1,20})?(,\"ids\":[\\[](\"[a-z:]{0,2}\",?){0,3}[\\]])?",
        unread in "-?[0-9]{1,11}",
    ) {
        let text = format!(
            "{{\"type\":\"{kind}\",\"userId\":{user}{marks},\"unread\":{unread}}}"
        );
        if let Ok(ChannelEvent::Change { change: Change::ReadUpTo(seq), .. }) =
            ChannelEvent::parse(text.as_bytes())
        {
            prop_assert!(seq >= 0);
        }
    }
}
