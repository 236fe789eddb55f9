//! A client's frames: the same frames result however the bytes are split.
#![no_main]

use hub::socket::decode::{Inbound, Inbox, Violation};
use libfuzzer_sys::fuzz_target;

const MESSAGE_BYTES_MAX: usize = 1024;

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Inbound>, Option<Violation>) {
    let mut inbox = Inbox::new(MESSAGE_BYTES_MAX);
    let mut heard = Vec::new();
    for mut piece in pieces {
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

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(bytes.chunks(usize::from(piece) + 1)));
    for inbound in &whole.0 {
        let length = match inbound {
            Inbound::Text(text) => text.len(),
            Inbound::Binary(data) => data.len(),
            Inbound::Ping(payload) | Inbound::Pong(payload) => payload.len() * 8,
            Inbound::Close(_) | Inbound::Fragment => 0,
        };
        assert!(length <= MESSAGE_BYTES_MAX);
    }
});
