//! Input from Redis to the hub: replies of a subscription, messages of the notification channel, our
//! own events, and their encoding in each protocol.
#![no_main]

use bytes::BytesMut;
use hub::protocol::{ClientFrame, Outgoing, Protocol};
use hub::redis::pubsub_parser::{Reply, moved, take};
use libfuzzer_sys::fuzz_target;
use shared::keys::user_of_live_channel;
use shared::wire::{ChannelEvent, Message, Position};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::parse(bytes) {
        let text = std::str::from_utf8(bytes).expect("the parser accepted it");
        // Never re-encoded: the output is a slice of the input.
        assert!(text.contains(message.notification));
        let position = message.position.map(|(epoch, seq)| Position { epoch: epoch.into(), seq });
        let event =
            Outgoing::Notification { text: message.notification.to_owned().into(), position };
        for protocol in [Protocol::Raw, Protocol::V1, Protocol::Events] {
            assert!(event.encode(protocol).is_some());
        }
    }
    if let Ok(ChannelEvent::Change { change, unread, .. }) = ChannelEvent::parse(bytes) {
        let event = Outgoing::Change { change, unread };
        assert!(event.encode(Protocol::V1).is_some() && event.encode(Protocol::Raw).is_none());
    }
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(reply)) = take(&mut buffer) {
        match reply {
            Reply::Joined(channel) | Reply::Left(channel) => {
                let _ = user_of_live_channel(&channel);
            }
            Reply::Error(text) => {
                let _ = moved(&text);
            }
            _ => {}
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ClientFrame::parse(text);
    }
});
