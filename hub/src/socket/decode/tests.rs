use super::*;

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 250];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        medium @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend((medium as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// All results for the bytes, fed in pieces of the given size.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<Inbound>, Violation> {
    let mut inbox = Inbox::new(70_000);
    let mut heard = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while let Some(inbound) = inbox.next(&mut piece)? {
            heard.push(inbound);
        }
    }
    Ok(heard)
}

#[test]
fn messages_come_out_whole_however_they_are_cut() {
    let long = "x".repeat(66_000);
    let bytes = [
        frame(0x81, b""),
        frame(0x81, "h\u{e4}llo".as_bytes()),
        frame(0x01, "\u{e4}".as_bytes().get(..1).unwrap()),
        frame(0x89, b"between"),
        frame(0x00, b""),
        frame(0x80, "\u{e4}".as_bytes().get(1..).unwrap()),
        frame(0x82, &[0xff; 300]),
        frame(0x8a, b"pong"),
        frame(0x81, long.as_bytes()),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x88, b""),
    ]
    .concat();
    let expected = [
        Inbound::Text(String::new()),
        Inbound::Text("h\u{e4}llo".to_owned()),
        Inbound::Fragment,
        Inbound::Ping(b"between".to_vec()),
        Inbound::Fragment,
        Inbound::Text("\u{e4}".to_owned()),
        Inbound::Binary(vec![0xff; 300]),
        Inbound::Pong(b"pong".to_vec()),
        Inbound::Text(long),
        Inbound::Close(Some(1000)),
        Inbound::Close(None),
    ];
    for piece in [1, 2, 3, 7, 1000, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap(), expected, "pieces of {piece}");
    }
}

#[test]
fn every_broken_rule_is_named() {
    let protocol = |bytes: &[u8]| match read(bytes, 1) {
        Err(Violation::Protocol(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(protocol(&frame(0xc1, b"")), "reserved bits are set");
    assert_eq!(protocol(&frame(0x83, b"")), "a reserved opcode");
    assert_eq!(protocol(&frame(0x8b, b"")), "a reserved opcode");
    assert_eq!(protocol(&[0x81, 0x00]), "a frame is not masked");
    assert_eq!(protocol(&frame(0x09, b"")), "a fragmented control frame");
    assert_eq!(protocol(&frame(0x89, &[0; 126])), "a long control frame");
    assert_eq!(protocol(&frame(0x80, b"")), "a continuation of nothing");
    let inside = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_eq!(protocol(&inside), "a new message inside another");
    assert_eq!(protocol(&frame(0x88, b"\x03")), "half a close code");
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let why = protocol(&frame(0x88, &code.to_be_bytes()));
        assert_eq!(why, "a close code that may not be sent");
    }
    for length in [&[0xfe, 0, 125][..], &[0xff, 0, 0, 0, 0, 0, 0, 255, 255], &[0xff; 9]] {
        let bytes = [&[0x81][..], length, &[0; 4]].concat();
        assert_eq!(protocol(&bytes), "a length in a form that is not allowed");
    }
}

#[test]
fn text_is_refused_as_soon_as_it_cannot_be_utf8() {
    // The second byte already makes it invalid; the rest need not arrive.
    let frame = frame(0x01, b"\xc0\xafmore of it");
    assert_eq!(read(frame.get(..8).unwrap(), 1), Err(Violation::NotUtf8));
    let cut = super::tests::frame(0x81, b"\xe2\x82");
    assert_eq!(read(&cut, 100), Err(Violation::NotUtf8));
    assert_eq!(read(&super::tests::frame(0x88, b"\x03\xe8\xff"), 100), Err(Violation::NotUtf8));
}

#[test]
fn a_message_is_bounded_over_all_of_its_frames() {
    let part = vec![b'x'; 40_000];
    let parts = [frame(0x01, &part), frame(0x80, &part)].concat();
    assert_eq!(read(&parts, 10_000), Err(Violation::TooLarge));
    // The header is rejected before the payload arrives.
    let header = [0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(read(&header, 100), Err(Violation::TooLarge));
}

#[test]
fn nothing_is_kept_between_messages() {
    let mut inbox = Inbox::new(1000);
    let bytes = [frame(0x81, b"text"), frame(0x89, b"ping")].concat();
    let mut rest = bytes.as_slice();
    while inbox.next(&mut rest).unwrap().is_some() {}
    assert_eq!(inbox.pending.capacity() + inbox.control.capacity(), 0);
    assert!(inbox.message.is_none());
}
