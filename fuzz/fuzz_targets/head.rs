//! The head of a connection's first request, and what a handshake makes of it.
#![no_main]

use hub::handshake;
use hub::head::Head;
use hub::open;
use libfuzzer_sys::fuzz_target;

mod config;

fuzz_target!(|bytes: &[u8]| {
    let Some(head) = Head::parse(bytes) else { return };
    let _ = (open::transport(&head), open::accept_key(&head));
    let Ok(query) = shared::path::query_pairs(head.query.as_deref().unwrap_or_default()) else {
        return;
    };
    let config = config::get();
    let _ = handshake::credential(config, &head.headers, &query);
    let bearer = handshake::Bearer { sub: "alice".to_owned(), accepted_until_s: 0.0 };
    for transport in [handshake::Transport::WebSocket, handshake::Transport::Events] {
        let _ = handshake::check(config, transport, &head.headers, &query, &bearer);
    }
});
