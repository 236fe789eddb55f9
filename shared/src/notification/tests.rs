//! Valid and invalid requests, the serialised form, and its recognition.

use super::*;

fn draft(json: &str) -> Result<Draft, Error> {
    let mut object = Object::parse(json.as_bytes())?;
    let draft = Draft::take_from(&mut object)?;
    object.finish()?;
    Ok(draft)
}

#[test]
fn writes_data_as_it_came() {
    let data = r#"{ "z":[],"a":{},"n":12345678901234567890123 , "f":1.0e2 }"#;
    let draft = draft(&format!(r#"{{"userId":42,"title":"é\"\u0001","data":{data}}}"#)).unwrap();
    let notification = Notification {
        id: "01234567-89ab-7def-8123-456789abcdef".to_owned(),
        seq: 3,
        draft,
        created_at_ms: 7,
        quiet: None,
    };
    let json = notification.to_json();
    assert_eq!(
        json,
        format!(
            r#"{{"id":"01234567-89ab-7def-8123-456789abcdef","userId":"42","seq":3,"title":"é\"\u0001","data":{data},"createdAt":"1970-01-01T00:00:00.007Z"}}"#
        )
    );
    assert_eq!(our_id_and_seq(&json), Some((notification.id.as_str(), 3)));
}

#[test]
fn a_quiet_one_says_so_behind_its_seq() {
    let draft = draft(
        r#"{"userId":"a","title":"t","data":{"createdAt":"x","muted":true},"expiresAt":"1970-01-02T00:00:00Z"}"#,
    )
    .unwrap();
    let id = "01234567-89ab-7def-8123-456789abcdef".to_owned();
    let mut notification =
        Notification { id, seq: 12, draft, created_at_ms: 7, quiet: Some(Quiet::Muted) };
    let json = notification.to_json();
    assert!(json.contains(r#","userId":"a","seq":12,"muted":true,"title":"t","#), "{json}");
    assert_eq!(our_id_and_seq(&json), Some((notification.id.as_str(), 12)));
    assert_eq!((is_quiet(&json), muted_at_ms(&json)), (true, Some(7)));
    assert_eq!(notification.muted_at_ms(), Some(7));
    notification.quiet = Some(Quiet::Imported);
    let json = notification.to_json();
    assert!(json.contains(r#","userId":"a","seq":12,"imported":true,"title":"t","#), "{json}");
    assert_eq!(our_id_and_seq(&json), Some((notification.id.as_str(), 12)));
    assert_eq!((is_quiet(&json), is_muted(&json), muted_at_ms(&json)), (true, false, None));
    assert_eq!(notification.muted_at_ms(), None);
    notification.quiet = None;
    let json = notification.to_json();
    assert_eq!((is_quiet(&json), muted_at_ms(&json)), (false, None));
    assert_eq!(notification.muted_at_ms(), None);
    // Another service's member of that name has no meaning.
    let foreign = r#"{"id":"x","userId":"a","seq":1,"muted":true,"title":"t","createdAt":"y"}"#;
    assert_eq!((is_quiet(foreign), muted_at_ms(foreign)), (false, None));
}

#[test]
fn knows_foreign_elements() {
    for foreign in [
        "",
        "x",
        "{}",
        r#"{"id":"1","userId":"a","seq":1,"title":""}"#,
        r#"{"id":"01234567-89ab-4def-8123-456789abcdef","userId":"a","seq":1,"t":1}"#,
        r#"{"id":"01234567-89ab-7def-8123-456789abcdef","userId":"a","seq":"1","t":1}"#,
        r#"{"id":"01234567-89ab-7def-8123-456789abcdef","title":"no seq"}"#,
    ] {
        assert_eq!(our_id_and_seq(foreign), None, "{foreign}");
    }
}

#[test]
fn names_the_member_that_breaks_a_rule() {
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    let cases = [
        ("{}".to_owned(), Code::MissingField, "userId"),
        (r#"{"userId":"a"}"#.to_owned(), Code::MissingField, "title"),
        (r#"{"userId":"a b","title":"t"}"#.to_owned(), Code::InvalidId, "userId"),
        (r#"{"userId":1.5,"title":"t"}"#.to_owned(), Code::InvalidField, "userId"),
        (r#"{"userId":true,"title":"t"}"#.to_owned(), Code::InvalidField, "userId"),
        (r#"{"userId":"a","title":""}"#.to_owned(), Code::InvalidField, "title"),
        (r#"{"userId":"a","title":7}"#.to_owned(), Code::InvalidField, "title"),
        (
            format!(r#"{{"userId":"a","title":"{}"}}"#, "é".repeat(201)),
            Code::LimitExceeded,
            "title",
        ),
        (
            format!(r#"{{"userId":"a","title":"t","body":"{}"}}"#, "x".repeat(4097)),
            Code::LimitExceeded,
            "body",
        ),
        (
            format!(r#"{{"userId":"a","title":"t","data":"{}"}}"#, "x".repeat(8191)),
            Code::LimitExceeded,
            "data",
        ),
        (format!(r#"{{"userId":"a","title":"t","data":{deep}}}"#), Code::LimitExceeded, "data"),
        (r#"{"userId":"a","title":"t","data":"\u0000"}"#.to_owned(), Code::InvalidField, "data"),
        (
            r#"{"userId":"a","title":"t","expiresAt":"soon"}"#.to_owned(),
            Code::InvalidField,
            "expiresAt",
        ),
        (r#"{"userId":"a","title":"t","tite":1}"#.to_owned(), Code::UnknownField, "tite"),
    ];
    for (json, code, field) in cases {
        let error = draft(&json).expect_err(&json);
        assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{json}");
    }
    for (given, id) in [("-7", "-7"), ("607.0", "607"), ("1e3", "1000")] {
        let draft = draft(&format!(r#"{{"userId":{given},"title":"t"}}"#)).unwrap();
        assert_eq!(draft.user_id.as_str(), id);
    }
    // The limit counts characters, whatever their size in bytes.
    let kind = |chars| format!(r#"{{"userId":"a","title":"t","kind":"{}"}}"#, "é".repeat(chars));
    assert!(draft(&kind(64)).is_ok());
    assert_eq!(draft(&kind(65)).unwrap_err().code(), Code::LimitExceeded);
    assert!(draft(&format!(r#"{{"userId":"a","title":"{}"}}"#, "é".repeat(200))).is_ok());
}
