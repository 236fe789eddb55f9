use serde_json::json;
use support::token;

use crate::world::World;

#[tokio::test]
async fn a_notification_is_created_shown_and_read() {
    let world = World::start().await;
    let data = r#"{"order":17,"big":12345678901234567890123,"none":[]}"#;
    let args = ["notify", "alice", "Hello", "--body", "World", "--kind", "order", "--data", data];
    let made = world.run(&[&args[..], &["--json"]].concat()).await.expect(0);
    let one = made.one();
    assert_eq!((&one["seq"], &one["delivery"]), (&json!(1), &json!("sent")));
    // The bytes of `data` are the caller's.
    assert!(made.stdout.contains(data), "{made:?}");
    let text = world.run(&["notify", "alice", "Second"]).await.expect(0).stdout;
    assert!(text.starts_with("sent: #2 ") && text.ends_with(" to alice\n"), "{text}");

    let shown = world.run(&["feed", "alice"]).await.expect(0);
    let rows: Vec<&str> = shown.stdout.lines().collect();
    assert!(rows[1].contains("new") && rows[1].contains("Second"), "{shown:?}");
    assert!(rows[2].contains("order") && rows[2].contains("Hello"), "{shown:?}");
    assert!(shown.stderr.contains("2 unread"), "{shown:?}");
    let page = world.run(&["feed", "alice", "--json", "-n", "1"]).await.expect(0).one();
    assert_eq!(page["notifications"].as_array().unwrap().len(), 1);

    let read = world.run(&["read", "alice", "--up-to", "1"]).await.expect(0);
    assert_eq!(read.stdout, "marked; 1 unread\n");
    let unread = world.run(&["feed", "alice", "--unread", "--json"]).await.expect(0).one();
    assert_eq!(unread["notifications"][0]["title"], "Second");
    let id = unread["notifications"][0]["id"].as_str().unwrap();
    let read = world.run(&["read", "alice", id, "--json"]).await.expect(0).one();
    assert_eq!(read, json!({"unread": 0}));
    let empty = world.run(&["feed", "bob"]).await.expect(0);
    assert_eq!(empty.stdout, "no notifications\n");
}

#[tokio::test]
async fn all_pages_of_a_feed_are_read() {
    let world = World::start().await;
    for at in 0..130 {
        world.functions.notify("alice", &format!("n{at}")).await;
    }
    let pages = world.run(&["feed", "alice", "--all", "--json"]).await.expect(0).json();
    let titles: Vec<_> = pages
        .iter()
        .flat_map(|page| page["notifications"].as_array().unwrap())
        .map(|entry| entry["title"].as_str().unwrap())
        .collect();
    assert_eq!((pages.len(), titles.len()), (2, 130));
    assert_eq!((titles[0], titles[129]), ("n129", "n0"));
    let some = world.run(&["feed", "alice", "-n", "105"]).await.expect(0);
    assert_eq!(some.stdout.lines().count(), 106);
    assert!(some.stderr.contains("older ones: --before "), "{}", some.stderr);
}

#[tokio::test]
async fn a_title_cannot_steer_the_terminal() {
    let world = World::start().await;
    world.run(&["notify", "alice", "\u{1b}]0;owned\u{7}\u{202e}title"]).await.expect(0);
    // `expect` looks for escapes in the output.
    let shown = world.run(&["feed", "alice"]).await.expect(0).stdout;
    assert!(shown.contains("]0;owned") && !shown.contains(['\u{7}', '\u{202e}']), "{shown:?}");
}

#[tokio::test]
async fn presence_and_devices_are_shown() {
    let world = World::start().await;
    let _socket = world.hub.connect("alice").await;
    support::eventually("alice is online", async || {
        let online = world.run(&["presence", "alice", "bob", "--json"]).await.expect(0).one();
        (online == json!({"online": {"alice": true, "bob": false}})).then_some(())
    })
    .await;
    let shown = world.run(&["presence", "alice", "bob"]).await.expect(0).stdout;
    assert_eq!(shown, "USER   ONLINE\nalice  yes\nbob    no\n");
    assert_eq!(world.run(&["presence"]).await.expect(0).stdout, "1 online\n");

    let put = world.functions.call("PUT", "/users/alice/devices/phone");
    let device = json!({"kind": "fcm", "token": "d1:secret-address", "locale": "de"});
    put.token(&token("alice", "")).body(device.to_string()).send().await.expect(204);
    let shown = world.run(&["devices", "alice"]).await.expect(0).stdout;
    assert!(shown.contains("phone") && shown.contains("fcm"), "{shown}");
    assert!(!shown.contains("secret-address"), "{shown}");
    let listed = world.run(&["devices", "alice", "--json"]).await.expect(0).one();
    assert_eq!(listed["items"][0]["locale"], "de");
    assert_eq!(world.run(&["devices", "bob"]).await.expect(0).stdout, "no devices\n");
}
