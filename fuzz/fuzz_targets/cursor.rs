//! Cursors from which a socket or an event stream resumes. The cursors of feed pages are ids;
//! `feed` has a property test of its own.
#![no_main]

use hub::protocol::{Outgoing, Protocol, Welcome};
use hub::users::resume::Cursor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Cursor::At(position) = Cursor::from_event_id(bytes) {
        // The id that the hub writes must parse as the same position.
        let welcome = Welcome { position: Some(position.clone()), ..Welcome::default() };
        let stream = Outgoing::Welcome(welcome).encode(Protocol::Events);
        let stream = stream.expect("a welcome has an encoding");
        if let Some(id) = stream.strip_prefix(b"id: ") {
            let id = id.strip_suffix(b"\n\n").expect("one line and an empty one");
            assert_eq!(Cursor::from_event_id(id), Cursor::At(position));
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(pairs) = shared::path::query_pairs(text) {
        let _ = Cursor::from_query(&pairs);
    }
});
