//! The table of cases. Every case ends the connection, so the bytes received are complete.

use crate::support::peer::{Frame, frame, header};

#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub sent: Vec<u8>,
    /// Number of frames sent.
    pub frames: usize,
    pub expected: Vec<Frame>,
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// Without FIN: the message continues.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

const PROTOCOL: (u16, &str) = (1002, "malformed frame");
const NOT_UTF8: (u16, &str) = (1007, "not UTF-8");

/// Control frames of any size, with any code.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

/// A valid case that ends with the client's close frame.
fn good(name: &str, sent: &[(u8, &[u8])], expected: &[(u8, &[u8])]) -> Case {
    let goodbye = close(1000, b"");
    let sent = [sent, &[(CLOSE, &goodbye)]].concat();
    let expected = [expected, &[(CLOSE, &goodbye)]].concat();
    Case {
        name: name.to_owned(),
        frames: sent.len(),
        sent: sent.iter().flat_map(|(first, payload)| frame(*first, payload)).collect(),
        expected: expected.iter().map(|(first, payload)| (*first, payload.to_vec())).collect(),
    }
}

/// A case closed by the server: `before` is echoed; `bytes`, with nothing behind them, violate the
/// RFC.
fn bad(name: &str, before: &[(u8, &[u8])], bytes: Vec<u8>, (code, why): (u16, &str)) -> Case {
    let mut case = good(name, before, &[]);
    case.sent = before.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
    case.sent.extend(bytes);
    let echoed = before.iter().filter(|(first, _)| matches!(*first, TEXT | BINARY));
    case.expected = echoed.map(|(first, payload)| (*first, payload.to_vec())).collect();
    case.expected.push((CLOSE, close(code, why.as_bytes())));
    case
}

pub fn answered() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(fragments());
    cases.extend(pings());
    cases.extend(closes());
    cases
}

/// §5.2, §5.6, §8.1.
fn messages() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 300_000] {
        for first in [TEXT, BINARY] {
            let payload = vec![b'*'; length];
            let message: &[(u8, &[u8])] = &[(first, &payload)];
            cases.push(good(&format!("{first:#x} of {length} bytes"), message, message));
        }
    }
    let every_byte: Vec<u8> = (0..=255).collect();
    cases.push(good("every byte", &[(BINARY, &every_byte)], &[(BINARY, &every_byte)]));
    // The ends of every length of UTF-8, the neighbours of the surrogates, and noncharacters.
    for character in [
        '\0',
        '\u{7f}',
        '\u{80}',
        '\u{7ff}',
        '\u{800}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{fffd}',
        '\u{fffe}',
        '\u{ffff}',
        '\u{10000}',
        '\u{1fffe}',
        '\u{10ffff}',
    ] {
        let text = character.to_string();
        let bytes = text.as_bytes();
        let name = format!("{character:?}");
        cases.push(good(&name, &[(TEXT, bytes)], &[(TEXT, bytes)]));
        // Frames, and control frames, may split a character.
        let mut sent = vec![(TEXT_BEGINS, &b""[..])];
        sent.extend(bytes.chunks(1).flat_map(|byte| [(GOES_ON, byte), (PONG, b"")]));
        sent.push((ENDS, b""));
        cases.push(good(&format!("{name}, cut"), &sent, &[(TEXT, bytes)]));
    }
    cases
}

/// §5.4.
fn fragments() -> Vec<Case> {
    let long = vec![b'x'; 1000];
    let mut many = vec![(BINARY_BEGINS, &b"y"[..])];
    many.extend([(GOES_ON, &b"y"[..]); 500]);
    many.push((ENDS, b"y"));
    vec![
        good("two", &[(TEXT_BEGINS, b"a"), (ENDS, b"b")], &[(TEXT, b"ab")]),
        good("empty ones", &[(TEXT_BEGINS, b""), (GOES_ON, b""), (ENDS, b"")], &[(TEXT, b"")]),
        good(
            "an empty first and last",
            &[(BINARY_BEGINS, b""), (GOES_ON, &long), (ENDS, b"")],
            &[(BINARY, &long)],
        ),
        good("many", &many, &[(BINARY, &[b'y'; 502])]),
        good(
            "pings between",
            &[(TEXT_BEGINS, b"a"), (PING, b"1"), (GOES_ON, b"b"), (PING, b"2"), (ENDS, b"c")],
            &[(PONG, b"1"), (PONG, b"2"), (TEXT, b"abc")],
        ),
        good(
            "one message after another",
            &[(TEXT_BEGINS, b"a"), (ENDS, b"b"), (BINARY_BEGINS, b"c"), (ENDS, b"d"), (TEXT, b"e")],
            &[(TEXT, b"ab"), (BINARY, b"cd"), (TEXT, b"e")],
        ),
        good("an endless message", &[(TEXT_BEGINS, b"a"), (GOES_ON, b"b")], &[]),
    ]
}

/// §5.5.2, §5.5.3.
fn pings() -> Vec<Case> {
    let mut cases: Vec<Case> = [0, 1, 124, 125]
        .map(|length| {
            let payload = vec![0xfe; length];
            good(&format!("ping of {length}"), &[(PING, &payload)], &[(PONG, &payload)])
        })
        .into();
    let numbers: Vec<[u8; 1]> = (0..20).map(|number| [number]).collect();
    let pings: Vec<(u8, &[u8])> = numbers.iter().map(|number| (PING, &number[..])).collect();
    let pongs: Vec<(u8, &[u8])> = numbers.iter().map(|number| (PONG, &number[..])).collect();
    cases.push(good("pings in order", &pings, &pongs));
    cases.push(good("unsolicited pongs", &pongs, &[]));
    cases
}

/// §5.5.1, §7.1, §7.4.
fn closes() -> Vec<Case> {
    let answered = |name: String, sent: Vec<u8>, answer: Vec<u8>| Case {
        name,
        sent: [frame(CLOSE, &sent), frame(TEXT, b"later"), frame(PING, b"later")].concat(),
        frames: 3,
        expected: vec![(CLOSE, answer)],
    };
    let codes = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4401, 4999]);
    let mut cases: Vec<Case> = codes
        .map(|code| answered(format!("close {code}"), close(code, b"bye"), close(code, b"")))
        .collect();
    cases.push(answered("close without a code".to_owned(), Vec::new(), Vec::new()));
    let long = "\u{e4}".repeat(61) + "x";
    let sent = close(1000, long.as_bytes());
    cases.push(answered("close with the longest reason".to_owned(), sent, close(1000, b"")));
    let mut inside = answered("close inside a message".to_owned(), close(1000, b""), Vec::new());
    inside.sent = [frame(TEXT_BEGINS, b"half"), inside.sent].concat();
    inside.expected = vec![(CLOSE, close(1000, b""))];
    cases.push(inside);
    cases
}

pub fn refused() -> Vec<Case> {
    let mut cases = headers();
    cases.extend(order());
    cases.extend(bad_closes());
    cases.extend(bad_texts());
    cases
}

/// §5.1, §5.2, §5.5: a header is rejected at once, without its payload.
fn headers() -> Vec<Case> {
    let mut cases = Vec::new();
    let hello: &[(u8, &[u8])] = &[(TEXT, b"hello")];
    for first in [TEXT, BINARY, CLOSE, PING, PONG] {
        for reserved in (1..8).map(|bits| bits << 4) {
            let name = format!("reserved bits {:#x}", first | reserved);
            cases.push(bad(&name, hello, header(first | reserved, 5), PROTOCOL));
        }
        cases.push(bad(&format!("unmasked {first:#x}"), hello, vec![first, 0], PROTOCOL));
    }
    for opcode in (3..8).chain(11..16) {
        for fin in [0x80, 0] {
            let name = format!("reserved opcode {opcode} {fin:#x}");
            cases.push(bad(&name, hello, header(fin | opcode, 0), PROTOCOL));
        }
    }
    for first in [CLOSE, PING, PONG] {
        let name = format!("{first:#x} in fragments");
        cases.push(bad(&name, hello, header(first & 0x0f, 0), PROTOCOL));
        for length in [126, 65_536] {
            let name = format!("{first:#x} of {length} bytes");
            cases.push(bad(&name, hello, header(first, length), PROTOCOL));
        }
    }
    for (name, length) in [
        ("125 in two bytes", &[0xfe, 0, 125][..]),
        ("65535 in eight bytes", &[0xff, 0, 0, 0, 0, 0, 0, 255, 255]),
        ("a length with its highest bit set", &[0xff, 128, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        cases.push(bad(name, hello, [&[BINARY], length, &[0; 4]].concat(), PROTOCOL));
    }
    cases
}

/// §5.4.
fn order() -> Vec<Case> {
    let mut cases = Vec::new();
    for first in [GOES_ON, ENDS] {
        let next = || header(first, 1);
        cases.push(bad("continuation without a start", &[], next(), PROTOCOL));
        cases.push(bad("continuation after a whole message", &[(TEXT, b"a")], next(), PROTOCOL));
        cases.push(bad("continuation after a pong", &[(PONG, b"a")], next(), PROTOCOL));
    }
    for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
        for begun in [TEXT_BEGINS, BINARY_BEGINS] {
            let before: &[(u8, &[u8])] = &[(begun, b"a"), (GOES_ON, b"b")];
            cases.push(bad("start inside another message", before, header(first, 1), PROTOCOL));
        }
    }
    cases
}

/// §5.5.1, §7.4.
fn bad_closes() -> Vec<Case> {
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX];
    let mut cases: Vec<Case> = codes
        .map(|code| {
            let sent = frame(CLOSE, &close(code, b""));
            bad(&format!("close {code}"), &[(TEXT, b"a")], sent, PROTOCOL)
        })
        .into();
    cases.push(bad("half a code", &[], frame(CLOSE, &[3]), PROTOCOL));
    let sent = frame(CLOSE, &close(1000, b"\xce\xba\xed\xa0\x80"));
    cases.push(bad("a reason that is not UTF-8", &[], sent, NOT_UTF8));
    let sent = frame(CLOSE, &close(1000, b"\xce"));
    cases.push(bad("half a reason", &[], sent, NOT_UTF8));
    cases
}

/// §8.1: rejected at the first invalid byte, whatever would follow.
fn bad_texts() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, text) in [
        ("a continuation byte", &b"\x80"[..]),
        ("the invalid byte fe", b"\xfe"),
        ("the invalid byte ff", b"\xff"),
        ("two bytes for ASCII", b"\xc0\x80"),
        ("two bytes for ASCII, beginning", b"\xc1"),
        ("three bytes for two", b"\xe0\x80"),
        ("four bytes for three", b"\xf0\x80"),
        ("a high surrogate", b"\xed\xa0"),
        ("a low surrogate", b"\xed\xbf"),
        ("beyond the last character", b"\xf4\x90"),
        ("far beyond", b"\xf5"),
        ("five bytes", b"\xf8\x88"),
        ("two bytes, the second missing", b"\xc3("),
        ("four bytes, the last missing", b"\xf0\x9f\x98a"),
    ] {
        let whole = frame(TEXT, &[b"ok", text].concat());
        cases.push(bad(name, &[(TEXT, b"a")], whole, NOT_UTF8));
        // The frame announces more than it sends, and is not the last one.
        let announced = text.len() + 1000;
        let begun = frame(TEXT_BEGINS, text);
        let payload = begun.get(begun.len() - text.len()..).unwrap();
        let sent = [&header(TEXT_BEGINS, announced)[..], payload].concat();
        cases.push(bad(&format!("{name}, at once"), &[], sent, NOT_UTF8));
        let (start, end) = text.split_at(text.len() - 1);
        let sent = [frame(TEXT_BEGINS, start), frame(PONG, b""), frame(GOES_ON, end)].concat();
        cases.push(bad(&format!("{name}, over frames"), &[], sent, NOT_UTF8));
    }
    for text in [&b"\xc3"[..], b"\xe2\x82", b"\xf0\x9f\x98"] {
        cases.push(bad("a text that ends too early", &[], frame(TEXT, text), NOT_UTF8));
        let sent = [frame(TEXT_BEGINS, text), frame(ENDS, b"")].concat();
        cases.push(bad("a text that ends too early, in the last frame", &[], sent, NOT_UTF8));
    }
    cases
}
