//! Recipients and order of live messages.

use shared::live::Live;

use crate::support::{Hub, in_both_modes, until};

async fn every_tab_of_the_user_and_no_other_user_receives_a_message(live: Live) {
    let hub = Hub::start_in(live).await;
    let (mut tab, mut other_tab) = (hub.connect("alice").await, hub.connect("alice").await);
    let (mut v1_tab, _) = hub.connect_v1("alice").await;
    let mut bob = hub.connect("bob").await;
    let notification = r#"{ "userId":"alice","data":{"e":[ ]},"n":12345678901234567890 }"#;
    hub.redis.publish(&format!(r#"{{"notification":{notification},"other":1}}"#)).await;
    assert_eq!(tab.text().await, notification);
    assert_eq!(other_tab.text().await, notification);
    assert_eq!(v1_tab.notification().await, notification);
    // Bob's next message is his own: he did not receive alice's.
    hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
    assert_eq!(bob.text().await, r#"{"userId":"bob"}"#);
    assert!(tab.is_silent().await);
}

async fn an_integer_user_id_means_its_decimal_text(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut client = hub.connect("42").await;
    hub.redis.publish(r#"{"notification":{"userId":42,"a":1}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":42,"a":1}"#);
}

async fn invalid_messages_on_the_channel_are_skipped(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut client = hub.connect("alice").await;
    for garbage in ["", "hello", "[]", "{}", r#"{"notification":{}}"#, r#"{"notification":[1]}"#] {
        hub.redis.publish(garbage).await;
    }
    let mut connection = hub.redis.connection().await;
    let bytes: &[u8] = b"\xff\x00{";
    for (command, channel) in
        [("PUBLISH", "notifications"), ("SPUBLISH", "bw:live:{notifications:alice}")]
    {
        let publish = redis::cmd(command).arg(channel).arg(bytes).clone();
        publish.exec_async(&mut connection).await.unwrap();
    }
    for event in ["whatever", r#"{"type":"#] {
        hub.redis.event("alice", event).await;
    }
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

async fn read_marks_reach_every_v1_socket_of_their_user(live: Live) {
    let hub = Hub::start_in(live).await;
    let (mut tab, _) = hub.connect_v1("alice").await;
    let (mut other_tab, _) = hub.connect_v1("alice").await;
    let (mut bob, _) = hub.connect_v1("bob").await;
    let mut raw = hub.connect("alice").await;
    let event = async |event: &str| hub.redis.event("alice", event).await;
    for odd in [
        "",
        "whatever",
        r#"["read"]"#,
        r#"{"type":"probe","userId":"alice"}"#,
        r#"{"type":"read","userId":"alice","unread":1}"#,
        r#"{"type":"read","userId":"alice","upTo":4,"unread":-1}"#,
        r#"{"type":"read","userId":"alice","ids":["{"],"unread":1}"#,
    ] {
        event(odd).await;
    }
    if live == Live::All {
        // On the wrong channel, neither a notification nor an event is delivered.
        event(r#"{"notification":{"userId":"alice"}}"#).await;
        hub.redis.publish(r#"{"type":"read","userId":"alice","upTo":5,"unread":2}"#).await;
    }
    event(r#"{"type":"read","userId":"alice","upTo":5,"unread":2}"#).await;
    event(r#"{"type":"read","userId":"alice","ids":["x","y"],"unread":0}"#).await;
    for socket in [&mut tab, &mut other_tab] {
        assert_eq!(socket.text().await, r#"{"type":"read","upTo":5,"unread":2}"#);
        assert_eq!(socket.text().await, r#"{"type":"read","ids":["x","y"],"unread":0}"#);
    }
    for user in ["alice", "bob"] {
        hub.redis.publish(&format!(r#"{{"notification":{{"userId":"{user}"}}}}"#)).await;
    }
    assert_eq!(raw.text().await, r#"{"userId":"alice"}"#);
    assert_eq!(bob.notification().await, r#"{"userId":"bob"}"#);
}

async fn the_welcome_states_the_feeds_position(live: Live) {
    let hub = Hub::start_in(live).await;
    let (mut first, welcome) = hub.connect_v1("alice").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    let notification = hub.redis.create("alice", "e1", 1).await;
    assert_eq!(first.notification().await, notification);
    let (_second, welcome) = hub.connect_v1("alice").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":"e1","seq":1,"unread":null}"#);

    hub.redis.push("bob", "e1", 7).await;
    let (_bob, welcome) = hub.connect_v1("bob").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":"e1","seq":7,"unread":null}"#);
}

async fn own_notifications_arrive_once_and_in_order_and_foreign_ones_always(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 4).await;
    let mut client = hub.connect("alice").await;
    let five = hub.redis.create("alice", "e1", 5).await;
    for seq in [5, 3, 4] {
        hub.redis.publish_ours("alice", "e1", seq).await;
    }
    let foreign = r#"{"userId":"alice","seq":1}"#;
    for _ in 0..2 {
        hub.redis.publish(&format!(r#"{{"notification":{foreign}}}"#)).await;
    }
    let six = hub.redis.create("alice", "e1", 6).await;
    for expected in [five.as_str(), foreign, foreign, &six] {
        assert_eq!(client.text().await, expected);
    }
    // A replaced record counts from 1 again; late messages of the old one are not delivered.
    let one = hub.redis.create("alice", "e2", 1).await;
    hub.redis.publish_ours("alice", "e1", 7).await;
    let two = hub.redis.create("alice", "e2", 2).await;
    assert_eq!(client.text().await, one);
    assert_eq!(client.text().await, two);
}

async fn missing_seqs_are_filled_from_the_feed(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 1).await;
    let mut raw = hub.connect("alice").await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut expected = Vec::new();
    for seq in 2..=4 {
        expected.push(hub.redis.push("alice", "e1", seq).await);
    }
    hub.redis.command(&["LPUSH", "notifications:alice", r#"{"foreign":true}"#]).await;
    expected.push(hub.redis.create("alice", "e1", 5).await);
    for notification in &expected {
        assert_eq!(&raw.text().await, notification);
        assert_eq!(&v1.notification().await, notification);
    }
}

async fn entries_missing_from_the_feed_are_reported_as_a_gap(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 1).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let nine = hub.redis.create("alice", "e1", 9).await;
    let gap = r#"{"type":"gap","reason":"missed","epoch":"e1","seq":8}"#;
    assert_eq!(v1.text().await, gap);
    assert_eq!(v1.notification().await, nine);
    assert_eq!(raw.text().await, nine);
}

async fn a_feed_key_of_the_wrong_type_affects_only_its_user(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.command(&["SET", "bw:feed:{notifications:odd}", "x"]).await;
    hub.redis.command(&["SET", "notifications:odd", "x"]).await;
    let (mut odd, welcome) = hub.connect_v1("odd").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    let three = hub.redis.publish_ours("odd", "e1", 3).await;
    assert_eq!(odd.notification().await, three);
    let seven = hub.redis.publish_ours("odd", "e1", 7).await;
    assert_eq!(odd.text().await, r#"{"type":"gap","reason":"missed","epoch":"e1","seq":6}"#);
    assert_eq!(odd.notification().await, seven);
}

async fn messages_published_after_the_handshake_are_never_lost(live: Live) {
    // Users connect while others receive; each gets the message that follows their handshake.
    let hub = Hub::start_in(live).await;
    let rounds = (0..200).map(|round| {
        let user = format!("u{round}");
        let hub = &hub;
        async move {
            let mut client = hub.connect(&user).await;
            let notification = hub.redis.create(&user, "e1", 1).await;
            assert_eq!(client.text().await, notification);
        }
    });
    futures_util::future::join_all(rounds).await;
    until("all users are offline", async || hub.online().await.is_empty()).await;
}

in_both_modes! {
    every_tab_of_the_user_and_no_other_user_receives_a_message,
    an_integer_user_id_means_its_decimal_text,
    invalid_messages_on_the_channel_are_skipped,
    read_marks_reach_every_v1_socket_of_their_user,
    the_welcome_states_the_feeds_position,
    own_notifications_arrive_once_and_in_order_and_foreign_ones_always,
    missing_seqs_are_filled_from_the_feed,
    entries_missing_from_the_feed_are_reported_as_a_gap,
    a_feed_key_of_the_wrong_type_affects_only_its_user,
    messages_published_after_the_handshake_are_never_lost,
}
