use proptest::prelude::*;

use super::*;

fn at(epoch: &str, seq: i64) -> Position {
    Position { epoch: epoch.into(), seq }
}

fn notification(text: &str, position: Option<Position>) -> Outgoing {
    Outgoing::Notification { text: text.to_owned().into(), position }
}

fn welcome(position: Option<Position>) -> Outgoing {
    Outgoing::Welcome(Welcome { position, ..Welcome::default() })
}

fn changed(change: Change, unread: Option<u32>) -> Outgoing {
    Outgoing::Change { change, unread: unread.map(|count| Unread { count, until_ms: 0 }) }
}

/// The text of a short frame.
fn text(event: &Outgoing, protocol: Protocol) -> String {
    let bytes = event.encode(protocol).unwrap();
    String::from_utf8(bytes[2..].to_vec()).unwrap()
}

#[test]
fn frames_are_as_the_contract_says() {
    let foreign = notification(r#"{ "userId" : 7 }"#, None);
    assert_eq!(text(&foreign, Protocol::Raw), r#"{ "userId" : 7 }"#);
    let v1 = |event: &Outgoing| text(event, Protocol::V1);
    assert_eq!(v1(&foreign), r#"{"type":"notification","notification":{ "userId" : 7 }}"#);
    let none = welcome(None);
    let text = r#"{"type":"welcome","epoch":null,"seq":0,"unread":null,"expiresInMs":0}"#;
    assert_eq!(v1(&none), text);
    let known = Welcome { position: Some(at("e\"", 3)), unread: Some(2), expires_in_ms: 7 };
    let known = Outgoing::Welcome(known);
    let text = r#"{"type":"welcome","epoch":"e\"","seq":3,"unread":2,"expiresInMs":7}"#;
    assert_eq!(v1(&known), text);
    let gap = Outgoing::Gap { reason: GapReason::Epoch, position: Some(at("e", 3)) };
    assert_eq!(v1(&gap), r#"{"type":"gap","reason":"epoch","epoch":"e","seq":3}"#);
    let ids = || vec!["a".to_owned(), "b".to_owned()];
    let read = changed(Change::ReadIds(ids()), Some(2));
    assert_eq!(v1(&read), r#"{"type":"read","ids":["a","b"],"unread":2}"#);
    let up_to = changed(Change::ReadUpTo(5), Some(2));
    assert_eq!(v1(&up_to), r#"{"type":"read","upTo":5,"unread":2}"#);
    let removed = changed(Change::RemovedIds(ids()), None);
    assert_eq!(v1(&removed), r#"{"type":"removed","ids":["a","b"],"unread":null}"#);
    let erased = changed(Change::RemovedAll, Some(0));
    assert_eq!(v1(&erased), r#"{"type":"removed","all":true,"unread":0}"#);
    let pong = Outgoing::Pong { position: Some(at("e", 3)), unread: Some(2) };
    assert_eq!(v1(&pong), r#"{"type":"pong","epoch":"e","seq":3,"unread":2}"#);
    let unknown = Outgoing::Pong { position: None, unread: None };
    assert_eq!(v1(&unknown), r#"{"type":"pong","epoch":null,"seq":0,"unread":null}"#);
    let renewed = Outgoing::Renewed { expires_in_ms: 9 };
    assert_eq!(v1(&renewed), r#"{"type":"auth","expiresInMs":9}"#);
    for answer in [&pong, &renewed] {
        assert_eq!(answer.encode(Protocol::Events), None, "{answer:?}");
    }
    let reconnect = Outgoing::Reconnect { after_ms: 5 };
    assert_eq!(v1(&reconnect), r#"{"type":"reconnect","afterMs":5}"#);
    for other in [none, known, gap, read, removed, erased, pong, renewed, reconnect] {
        assert_eq!(other.encode(Protocol::Raw), None, "{other:?}");
    }
}

#[test]
fn events_are_as_the_contract_says() {
    let events = |event: &Outgoing| {
        String::from_utf8(event.encode(Protocol::Events).unwrap().to_vec()).unwrap()
    };
    let ours = notification("{\"a\":\r\n1}", Some(at("e", 5)));
    let expected = "id: e:5\nevent: notification\ndata: {\"a\": \ndata: 1}\n\n";
    assert_eq!(events(&ours), expected);
    assert_eq!(events(&notification("{}", None)), "event: notification\ndata: {}\n\n");
    assert_eq!(events(&welcome(None)), ":\n\n");
    assert_eq!(events(&welcome(Some(at("e", 5)))), "id: e:5\n\n");
    // An epoch that another service wrote must not break out of its line.
    assert_eq!(events(&welcome(Some(at("e\nevent: x", 5)))), "\n");
    let gap = Outgoing::Gap { reason: GapReason::Missed, position: Some(at("e", 3)) };
    let data = r#"{"type":"gap","reason":"missed","epoch":"e","seq":3}"#;
    assert_eq!(events(&gap), format!("id: e:3\nevent: gap\ndata: {data}\n\n"));
    let read = changed(Change::ReadUpTo(5), Some(2));
    let data = r#"{"type":"read","upTo":5,"unread":2}"#;
    assert_eq!(events(&read), format!("event: read\ndata: {data}\n\n"));
    let removed = changed(Change::RemovedIds(vec!["a".to_owned()]), Some(1));
    let data = r#"{"type":"removed","ids":["a"],"unread":1}"#;
    assert_eq!(events(&removed), format!("event: removed\ndata: {data}\n\n"));
    assert_eq!(events(&Outgoing::Reconnect { after_ms: 7 }), "retry: 7\n\n");
}

#[test]
fn understands_a_renewal_and_a_ping_and_nothing_else() {
    let renewal = ClientFrame::parse(r#"{"type":"auth","token":"t"}"#);
    assert_eq!(renewal, Some(ClientFrame::Auth { token: "t".to_owned() }));
    for ping in [r#"{"type":"ping"}"#, r#"{"n":[1],"type":"ping","token":7}"#] {
        assert_eq!(ClientFrame::parse(ping), Some(ClientFrame::Ping), "{ping}");
    }
    for other in [
        "",
        "hello",
        "{}",
        "[]",
        "\"ping\"",
        r#"{"type":"auth"}"#,
        r#"{"type":"AUTH","token":"t"}"#,
    ] {
        assert_eq!(ClientFrame::parse(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,80}") {
        let _ = ClientFrame::parse(&text);
    }
}
