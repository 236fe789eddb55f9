use shared::CloseCode;

use super::*;

fn outbox() -> Outbox {
    let outbox = Outbox::new();
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
    let outbox = Outbox::new();
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
    // Somebody writes: a second writer would overtake it.
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
