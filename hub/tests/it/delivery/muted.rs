//! Muted and imported entries: in the feed, and in no frame and no gap.

use shared::live::Live;

use crate::support::feed::Feed;
use crate::support::{Hub, in_both_modes};

async fn a_muted_entry_reaches_no_socket_and_leaves_no_gap(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 2).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let mut events = hub.events("alice", "", "").await;
    assert_eq!(events.next().await.unwrap().id.as_deref(), Some("e:2"));
    let reads = hub.redis.calls("lrange").await;
    feed.push_muted().await;
    feed.push().await;
    feed.push_muted().await;
    feed.push_muted().await;
    feed.push().await;
    for seq in [4, 7] {
        let expected = &feed.entries[seq - 1];
        assert_eq!(&v1.notification().await, expected);
        assert_eq!(&raw.text().await, expected);
        let event = events.next().await.unwrap();
        assert_eq!((event.id, &event.data), (Some(format!("e:{seq}")), expected));
    }
    let read = hub.redis.calls("lrange").await - reads;
    assert_eq!(read, 0, "the hub was told of every place");
    // Its position is above the muted entry, also where that is the last one.
    feed.push_muted().await;
    let (_other, welcome) = hub.connect_v1("alice").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":"e","seq":8,"unread":4}"#);
    assert!(v1.is_silent().await && raw.is_silent().await);
}

async fn a_resume_counts_muted_entries_and_sends_none(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 2).await;
    feed.push_muted().await;
    feed.push().await;
    feed.push_muted().await;
    for is_known in [false, true] {
        let _other = if is_known { Some(hub.connect_v1("alice").await) } else { None };
        let mut v1 = hub.resume("alice", "?since=seq:1&epoch=e", "bellwire.v1").await;
        let welcome = v1.welcome().await;
        assert_eq!(welcome, r#"{"type":"welcome","epoch":"e","seq":5,"unread":3}"#);
        let mut raw = hub.resume("alice", "?since=seq:1&epoch=e", "bellwire.raw").await;
        // A muted entry's place is a cursor, too.
        let mut late = hub.resume("alice", "?since=seq:3&epoch=e", "bellwire.raw").await;
        for seq in [2, 4] {
            assert_eq!(v1.notification().await, feed.entries[seq - 1]);
            assert_eq!(raw.text().await, feed.entries[seq - 1]);
        }
        assert_eq!(late.text().await, feed.entries[3]);
        for socket in [&mut v1, &mut raw, &mut late] {
            assert!(socket.is_silent().await);
        }
    }
}

async fn a_muted_entry_whose_event_was_lost_is_not_sent(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 2).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    feed.push_muted_unheard().await;
    feed.push().await;
    assert_eq!(v1.notification().await, feed.entries[3]);
    assert!(v1.is_silent().await, "neither the muted entry nor a gap");
}

async fn imported_entries_reach_no_socket_and_leave_no_gap(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 2).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let mut without_feed = hub.connect("bob").await;
    let reads = hub.redis.calls("lrange").await;
    let mut of_bob = Feed::with(&hub.redis, "bob", 0).await;
    // More than the list holds, twice.
    for _ in 0..2 {
        feed.import(150).await;
        of_bob.import(150).await;
    }
    feed.import(1).await;
    feed.push().await;
    of_bob.push().await;
    assert_eq!(v1.notification().await, feed.entries[303]);
    assert_eq!(raw.text().await, feed.entries[303]);
    assert_eq!(without_feed.text().await, of_bob.entries[300]);
    // The scripts read the lists themselves, at a load; a hub that was not told would read them, too.
    let loads = 6;
    assert!(hub.redis.calls("lrange").await - reads <= 2 * loads, "the hub was told of all places");
    assert!(v1.is_silent().await && raw.is_silent().await && without_feed.is_silent().await);

    // Nothing of them in a resume from a place that the list holds, a gap from one that it lost.
    let mut late = hub.resume("alice", "?since=seq:250&epoch=e", "bellwire.v1").await;
    late.welcome().await;
    assert_eq!(late.notification().await, feed.entries[303]);
    let mut lost = hub.resume("alice", "?since=seq:2&epoch=e", "bellwire.v1").await;
    lost.welcome().await;
    assert!(lost.text().await.contains(r#""type":"gap""#));
}

in_both_modes! {
    imported_entries_reach_no_socket_and_leave_no_gap,
    a_muted_entry_reaches_no_socket_and_leaves_no_gap,
    a_resume_counts_muted_entries_and_sends_none,
    a_muted_entry_whose_event_was_lost_is_not_sent,
}
