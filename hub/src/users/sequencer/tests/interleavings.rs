//! Random interleavings of a publisher, Redis and the hub.

use super::*;

/// One step of a publisher, Redis or the hub.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    /// The hub receives the next message on its way.
    Hear,
    /// The connection breaks: messages on their way are lost.
    Lose,
    Resubscribe,
    /// The read that is under way, or the sweep's, reaches Redis.
    Read,
    /// Its answer reaches the hub.
    Answer,
    ReadFails,
}

/// Every third entry is muted.
fn is_muted(seq: i64) -> bool {
    seq % 3 == 0
}

fn message(seq: i64) -> Incoming {
    if is_muted(seq) { muted("e", seq) } else { ours("e", seq) }
}

fn feed_of(head: Option<Position>, published: i64) -> Feed {
    let mut feed = Feed { head, ..feed("e", published, 1..=published) };
    for entry in &mut feed.entries {
        entry.is_silent = is_muted(entry.ours.unwrap().seq);
    }
    feed
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Publish),
        4 => Just(Step::Hear),
        1 => Just(Step::Lose),
        1 => Just(Step::Resubscribe),
        2 => Just(Step::Read),
        2 => Just(Step::Answer),
        1 => Just(Step::ReadFails),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// In every interleaving: in order, no duplicates, and nothing missing without a gap that
    /// covers it; nothing of muted entries. Unless many reads fail, nothing is missing at all, because the feed holds it.
    #[test]
    fn in_order_once_and_complete(start in 0i64..5, steps in steps()) {
        let mut published = start;
        let (mut on_the_way, mut is_connected) = (std::collections::VecDeque::new(), true);
        let mut user = User::new();
        user.head((start > 0).then(|| at("e", start)));
        let failures = steps.iter().filter(|step| matches!(step, Step::ReadFails)).count();
        let is_reliable = failures <= FEED_READS_FAILED_MAX as usize;
        // The answer of Redis, and the read it belongs to, until it reaches the hub.
        let mut found: Option<(Option<FeedQuery>, i64)> = None;
        let answer = |user: &mut User, (asked, published): (Option<FeedQuery>, i64)| {
            let head = (published > 0).then(|| at("e", published));
            if asked == Some(FeedQuery::Feed) {
                user.feed(feed_of(head, published));
            } else if user.sequencer.needs_head() {
                user.head(head);
            }
        };
        for step in steps {
            match step {
                Step::Publish => {
                    published += 1;
                    if is_connected {
                        on_the_way.push_back(published);
                    }
                }
                Step::Hear => {
                    if let Some(seq) = on_the_way.pop_front() {
                        user.take(message(seq));
                    }
                }
                Step::Lose => {
                    // The registry does not accept an earlier answer as final.
                    found = None;
                    on_the_way.clear();
                    is_connected = false;
                }
                Step::Resubscribe => {
                    if !is_connected {
                        is_connected = true;
                        user.sequencer.unsync();
                    }
                }
                // The sweep's read.
                Step::ReadFails if user.read.is_none() => {
                    user.read = user.sequencer.wanted();
                    if user.read.is_some() {
                        user.failed();
                    }
                }
                // While the subscription is lost, no read is final.
                Step::Read if is_connected && found.is_none() => {
                    user.read = user.read.or(user.due());
                    found = Some((user.read, published));
                }
                Step::Answer => {
                    if let Some(found) = found.take() {
                        answer(&mut user, found);
                    }
                }
                Step::ReadFails if user.read.is_some() => {
                    found = None;
                    user.failed();
                }
                Step::Read | Step::ReadFails => {}
            }
        }
        if !is_connected {
            user.sequencer.unsync();
        }
        for seq in on_the_way {
            user.take(message(seq));
        }
        if let Some(found) = found {
            answer(&mut user, found);
        }
        for _ in 0..3 {
            user.read = user.read.or(user.due());
            let asked = user.read;
            answer(&mut user, (asked, published));
        }
        let mut last = start;
        for word in user.heard() {
            if let Some(seq) = word.strip_prefix("gap:e") {
                prop_assert!(!is_reliable, "a gap although the feed holds everything: {seq}");
                last = seq.parse().unwrap();
            } else if let Some(seq) = word.strip_prefix('e') {
                let seq = seq.parse::<i64>().unwrap();
                prop_assert!(seq > last && !is_muted(seq) && (last + 1..seq).all(is_muted));
                last = seq;
            }
        }
        prop_assert!(last <= published && (last + 1..=published).all(is_muted));
    }
}
