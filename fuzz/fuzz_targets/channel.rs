//! Input from Redis to the hub: messages of the notification channel, our own events, and their
//! encoding in each protocol.
#![no_main]

use hub::protocol::{ClientFrame, Outgoing, Protocol};
use libfuzzer_sys::fuzz_target;
use shared::wire::{ChannelEvent, Message, Position};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::parse(bytes) {
        let text = std::str::from_utf8(bytes).expect("the parser accepted it");
        // Never re-encoded: the output is a slice of the input.
        assert!(text.contains(message.notification));
        let position = message.position.map(|(epoch, seq)| Position { epoch: epoch.into(), seq });
        let event = Outgoing::Notification { text: message.notification.to_owned().into(), position };
        for protocol in [Protocol::Raw, Protocol::V1, Protocol::Events] {
            assert!(event.encode(protocol).is_some());
        }
    }
    if let Ok(ChannelEvent::Change { change, unread, .. }) = ChannelEvent::parse(bytes) {
        let event = Outgoing::Change { change, unread };
        assert!(event.encode(Protocol::V1).is_some() && event.encode(Protocol::Raw).is_none());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ClientFrame::parse(text);
    }
});
