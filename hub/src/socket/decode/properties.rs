//! Frames in any order, cut anywhere, compared with a model that sees them whole and with a
//! library.

use std::io::{self, Cursor, Read, Write};

use proptest::prelude::*;
use proptest::sample::Index;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::tests::frame;
use super::*;

/// The results, and the violation that ended them, if any.
type Heard = (Vec<Inbound>, Option<Violation>);

/// Feeds the bytes in pieces that end at the cuts.
fn hear(bytes: &[u8], cuts: &[Index]) -> Heard {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let (mut inbox, mut heard, mut start) = (Inbox::new(70_000), Vec::new(), 0);
    for end in ends {
        let mut piece = bytes.get(start..end).unwrap();
        start = end;
        loop {
            match inbox.next(&mut piece) {
                Ok(Some(inbound)) => heard.push(inbound),
                Ok(None) => break,
                Err(violation) => return (heard, Some(violation)),
            }
        }
    }
    (heard, None)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..20)
}

/// A message, the positions where it is cut into frames, and control frames in between.
#[derive(Clone, Debug)]
struct Sent {
    whole: Inbound,
    cuts: Vec<Index>,
    controls: Vec<(bool, Vec<u8>)>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let lengths = prop_oneof![9 => 0..200_usize, 1 => 65_530..65_545_usize];
    let whole = prop_oneof![
        "\\PC{0,60}".prop_map(Inbound::Text),
        lengths.clone().prop_map(|length| Inbound::Text("\u{e4}".repeat(length / 2))),
        (lengths, any::<u8>()).prop_map(|(length, byte)| Inbound::Binary(vec![byte; length])),
    ];
    let control = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..=125));
    let controls = prop::collection::vec(control, 0..4);
    (whole, prop::collection::vec(any::<Index>(), 0..5), controls)
        .prop_map(|(whole, cuts, controls)| Sent { whole, cuts, controls })
}

impl Sent {
    /// The frames, and the expected results.
    fn frames(&self) -> (Vec<u8>, Vec<Inbound>) {
        let (opcode, data) = match &self.whole {
            Inbound::Text(text) => (1, text.as_bytes()),
            Inbound::Binary(data) => (2, &data[..]),
            other => panic!("{other:?}"),
        };
        let mut ends: Vec<usize> = self.cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        ends.sort_unstable();
        let (mut bytes, mut expected, mut start) = (Vec::new(), Vec::new(), 0);
        let mut controls = self.controls.iter();
        for end in ends {
            let first = if expected.contains(&Inbound::Fragment) { 0 } else { opcode };
            bytes.extend(frame(first, &data[start..end]));
            expected.push(Inbound::Fragment);
            start = end;
            if let Some((is_ping, payload)) = controls.next() {
                bytes.extend(frame(if *is_ping { 0x89 } else { 0x8a }, payload));
                let payload = payload.clone();
                expected.push(if *is_ping {
                    Inbound::Ping(payload)
                } else {
                    Inbound::Pong(payload)
                });
            }
        }
        let first = if self.cuts.is_empty() { 0x80 | opcode } else { 0x80 };
        bytes.extend(frame(first, &data[start..]));
        expected.push(self.whole.clone());
        (bytes, expected)
    }
}

/// Provides bytes to read, and discards writes.
struct Tape(Cursor<Vec<u8>>);

impl Read for Tape {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tape {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The results of the library's server for the same bytes.
fn library(bytes: Vec<u8>) -> (Vec<Inbound>, Error) {
    let mut socket = WebSocket::from_raw_socket(Tape(Cursor::new(bytes)), Role::Server, None);
    let mut heard = Vec::new();
    loop {
        heard.push(match socket.read() {
            Ok(Message::Text(text)) => Inbound::Text(text.as_str().to_owned()),
            Ok(Message::Binary(data)) => Inbound::Binary(data.to_vec()),
            Ok(Message::Ping(payload)) => Inbound::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Inbound::Pong(payload.to_vec()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => return (heard, error),
        });
    }
}

/// Frames with any first byte and payload; valid ones are frequent.
fn any_frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let sound = prop::sample::select(vec![0x81, 0x01, 0x80, 0x00, 0x82, 0x02, 0x89, 0x8a, 0x88]);
    let first = prop_oneof![30 => sound, 1 => any::<u8>()];
    let character = "\u{e4}\u{20ac}\u{1f600}".as_bytes();
    let payload = prop_oneof![
        6 => "[a-z]{0,5}".prop_map(String::into_bytes),
        3 => (0..=character.len(), 0..=character.len())
            .prop_map(|(a, b)| character[a.min(b)..a.max(b)].to_vec()),
        2 => (990_u16..1020, "[a-z]{0,3}")
            .prop_map(|(code, why)| [&code.to_be_bytes(), why.as_bytes()].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => (120_usize..130).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec((first, payload), 0..12)
}

/// The rules applied to whole frames. The violated rule is not named.
fn judge(frames: &[(u8, Vec<u8>)]) -> (Vec<Inbound>, Option<&'static str>) {
    let mut heard = Vec::new();
    let mut open: Option<(bool, Vec<u8>)> = None;
    for (first, payload) in frames {
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_control = opcode >= 8;
        let is_in_place = match opcode {
            0 => open.is_some(),
            1 | 2 => open.is_none(),
            8..=10 => fin && payload.len() <= 125,
            _ => false,
        };
        if first & 0x70 != 0 || !is_in_place {
            return (heard, Some("protocol"));
        }
        if is_control {
            heard.push(match opcode {
                8 => match judge_close(payload) {
                    Ok(code) => Inbound::Close(code),
                    Err(kind) => return (heard, Some(kind)),
                },
                9 => Inbound::Ping(payload.clone()),
                _ => Inbound::Pong(payload.clone()),
            });
            continue;
        }
        let (is_text, mut data) = open.take().unwrap_or((opcode == 1, Vec::new()));
        data.extend(payload);
        let hope = std::str::from_utf8(&data).map_err(|error| error.error_len().is_none() && !fin);
        if is_text && hope == Err(false) {
            return (heard, Some("utf-8"));
        }
        heard.push(match (fin, is_text) {
            (true, true) => Inbound::Text(String::from_utf8(data).unwrap()),
            (true, false) => Inbound::Binary(data),
            (false, _) => {
                open = Some((is_text, data));
                Inbound::Fragment
            }
        });
    }
    (heard, None)
}

fn judge_close(payload: &[u8]) -> Result<Option<u16>, &'static str> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err("protocol") };
    };
    let code = u16::from_be_bytes(*code);
    let is_registered = (1000..1015).contains(&code) && ![1004, 1005, 1006].contains(&code);
    if !is_registered && !(3000..5000).contains(&code) {
        return Err("protocol");
    }
    std::str::from_utf8(reason).map(|_| Some(code)).map_err(|_| "utf-8")
}

proptest! {
    #[test]
    fn messages_round_trip_and_match_a_library(
        sent in prop::collection::vec(sent(), 0..6),
        cuts in cuts(),
    ) {
        let (bytes, expected): (Vec<_>, Vec<_>) = sent.iter().map(Sent::frames).unzip();
        let (bytes, mut expected) = (bytes.concat(), expected.concat());
        prop_assert_eq!(hear(&bytes, &cuts), (expected.clone(), None));
        expected.retain(|inbound| *inbound != Inbound::Fragment);
        let (heard, end) = library(bytes);
        prop_assert_eq!(heard, expected, "{}", end);
    }

    #[test]
    fn violations_match_the_model(frames in any_frames(), cuts in cuts()) {
        let bytes: Vec<_> = frames.iter().flat_map(|(first, data)| frame(*first, data)).collect();
        let (heard, violation) = hear(&bytes, &cuts);
        let kind = violation.map(|violation| match violation {
            Violation::Protocol(_) => "protocol",
            Violation::NotUtf8 => "utf-8",
            Violation::TooLarge => "size",
        });
        prop_assert_eq!((heard, kind), judge(&frames));
    }

    #[test]
    fn cuts_do_not_matter_for_random_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in cuts(),
    ) {
        prop_assert_eq!(hear(&bytes, &cuts), hear(&bytes, &[]));
    }

    /// Garbage that begins like a frame gets further into the decoder.
    #[test]
    fn cuts_do_not_matter_after_changing_one_byte(
        sent in prop::collection::vec(sent(), 1..4),
        at in any::<Index>(),
        byte in any::<u8>(),
        cuts in cuts(),
    ) {
        let mut bytes = sent.iter().flat_map(|sent| sent.frames().0).collect::<Vec<_>>();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert_eq!(hear(&bytes, &cuts), hear(&bytes, &[]));
    }
}
