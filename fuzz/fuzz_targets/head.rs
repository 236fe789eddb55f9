//! The head of a connection's first request, and its handshake.
#![no_main]

use hub::http::request_head::RequestHead;
use hub::session::checks;
use hub::session::upgrade;
use libfuzzer_sys::fuzz_target;

mod config;

fuzz_target!(|bytes: &[u8]| {
    let Some(head) = RequestHead::parse(bytes) else { return };
    let _ = (upgrade::transport(&head), upgrade::accept_key(&head));
    let Ok(query) = shared::path::query_pairs(head.query.as_deref().unwrap_or_default()) else {
        return;
    };
    let config = config::get();
    let _ = checks::credential(config, &head.headers, &query);
    let bearer = checks::Bearer { sub: "alice".to_owned(), accepted_until_s: 0.0 };
    for transport in [checks::Transport::WebSocket, checks::Transport::Events] {
        let _ = checks::check(config, transport, &head.headers, &query, &bearer);
    }
});
