use proptest::prelude::*;
use shared::CloseCode;

use super::*;

fn outbox() -> Outbox {
    outbox_of(&Arc::default())
}

fn outbox_of(queued: &Arc<TotalQueued>) -> Outbox {
    let outbox = Outbox::new(queued.clone());
    outbox.open(Bytes::new());
    outbox.written(0);
    outbox
}

fn write(outbox: &Outbox) -> Vec<u8> {
    bytes(outbox.turn())
}

fn bytes(turn: Turn) -> Vec<u8> {
    match turn {
        Turn::Write(Batch::One(frame)) => frame.to_vec(),
        Turn::Write(Batch::Many(frames)) => frames.concat(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_leaves_before_the_handshake_is_answered() {
    let outbox = Outbox::new(Arc::default());
    outbox.push("a".into());
    assert!(matches!(outbox.turn(), Turn::Rest));
    outbox.open("head".into());
    assert_eq!(write(&outbox), b"heada");
}

#[test]
fn what_arrives_together_leaves_together_and_in_order() {
    let outbox = outbox();
    for frame in ["a", "bb", "ccc"] {
        assert_eq!(outbox.push(frame.into()), Pushed::Queued);
    }
    assert_eq!(write(&outbox), b"abbccc");
    // There is a writer: a second one would overtake it.
    outbox.push("d".into());
    assert!(matches!(outbox.turn(), Turn::Rest));
    let (frames, next) = outbox.written(2);
    assert_eq!((frames, bytes(next)), (1, b"bcccd".to_vec()));
    outbox.block();
    assert!(matches!(outbox.turn(), Turn::Rest));
    outbox.unblock();
    assert_eq!(write(&outbox), b"bcccd");
    outbox.written(5);
    assert!(matches!(outbox.turn(), Turn::Rest));
    assert_eq!(outbox.depth(), (0, 0));
}

#[test]
fn is_bounded_in_frames_and_in_bytes() {
    let outbox = outbox();
    let full =
        (0..=SOCKET_QUEUE_FRAMES_MAX).find(|_| outbox.push("x".into()) == Pushed::Overflowed);
    assert_eq!(full, Some(SOCKET_QUEUE_FRAMES_MAX));
    assert_eq!(outbox.end(), Some(CloseCode::TooSlow.into()));
    assert_eq!(outbox.depth(), (0, 0));

    let outbox = self::outbox();
    assert_eq!(outbox.push("x".repeat(SOCKET_QUEUE_BYTES_MAX + 1).into()), Pushed::Queued);
    assert_eq!(outbox.push("x".into()), Pushed::Overflowed);
}

#[test]
fn a_frame_that_has_begun_to_leave_is_finished() {
    let outbox = outbox();
    outbox.push("abc".into());
    assert_eq!(write(&outbox), b"abc");
    outbox.written(1);
    outbox.block();
    while outbox.push("x".into()) == Pushed::Queued {}
    outbox.unblock();
    assert_eq!(write(&outbox), b"bc");
    outbox.written(2);
    assert!(matches!(outbox.turn(), Turn::Finish));
}

#[test]
fn the_first_reason_stays_and_nothing_follows_it_but_the_last_frame() {
    let outbox = outbox();
    outbox.push("last".into());
    outbox.close(CloseCode::Restart.into());
    outbox.close(CloseCode::TooSlow.into());
    assert_eq!(outbox.push("later".into()), Pushed::Ignored);
    assert_eq!(outbox.end(), Some(CloseCode::Restart.into()));
    outbox.push_last("!".into());
    assert_eq!(write(&outbox), b"last!");
    outbox.written(5);
    assert!(matches!(outbox.turn(), Turn::Finish));
}

#[test]
fn all_queues_together_are_bounded() {
    let queued = Arc::new(TotalQueued::new(10));
    let (slow, fast) = (outbox_of(&queued), outbox_of(&queued));
    slow.push("0123456789".into());
    write(&slow);
    assert_eq!(queued.bytes(), 0, "the kernel may take it");
    slow.block();
    assert!(queued.is_full());
    assert_eq!(fast.push("x".into()), Pushed::Queued, "nobody waits for this one");
    assert_eq!(slow.push("x".into()), Pushed::Overflowed);
    assert_eq!(slow.end(), Some(CloseCode::TooSlow.into()));
    assert_eq!(queued.bytes(), 0);

    fast.block();
    let resuming = Outbox::new(queued.clone());
    assert_eq!(resuming.push_replay("0123456789".into()), Pushed::Queued);
    assert_eq!(resuming.push_replay("x".into()), Pushed::Overflowed);
    drop((fast, resuming));
    assert_eq!(queued.bytes(), 0);
}

proptest! {
    /// After any sequence of operations, the total counts exactly the suspended queues.
    #[test]
    fn suspended_queues_are_counted(calls in prop::collection::vec((0..3_usize, 0..9, 0..40_usize), 0..80)) {
        let queued = Arc::new(TotalQueued::new(200));
        let outboxes = [(); 3].map(|()| Outbox::new(queued.clone()));
        let mut is_open = [false; 3];
        for (at, call, size) in calls {
            let (outbox, frame) = (&outboxes[at], Bytes::from(vec![b'x'; size]));
            match call {
                0 | 1 => drop(outbox.push(frame)),
                2 => drop(outbox.push_replay(frame)),
                3 if !is_open[at] => {
                    is_open[at] = true;
                    outbox.open(frame);
                }
                4 if is_open[at] => outbox.unblock(),
                3..=5 => outbox.block(),
                6 => outbox.close(CloseCode::Restart.into()),
                7 => outbox.fail(),
                _ => {
                    if let Turn::Write(batch) = outbox.turn() {
                        outbox.written(size.min(bytes(Turn::Write(batch)).len()));
                    }
                }
            }
            let waiting = outboxes.iter().filter(|outbox| outbox.is_blocked());
            prop_assert_eq!(queued.bytes(), waiting.map(|outbox| outbox.depth().1).sum::<usize>());
        }
        drop(outboxes);
        prop_assert_eq!(queued.bytes(), 0);
    }
}
