//! The messages on the Redis channels.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::check_id;
use crate::notification::user_id_from_json;

mod event;
mod ours;

pub use event::{Change, ChannelEvent, Unread};

/// The place of a notification in its user's feed. `seq` alone is ambiguous: a replaced record
/// starts again at 1, under another epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    /// Shared, because a hub keeps it with every user and every held message.
    pub epoch: Arc<str>,
    pub seq: i64,
}

/// A message of the channel `notifications`, reduced to the hub's needs. Borrowed from the payload,
/// since a hub parses tens of thousands per second.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// A valid user id.
    pub user_id: Cow<'a, str>,
    /// The notification object, exactly the bytes that were published.
    pub notification: &'a str,
    /// Epoch and seq (see [`Position`]). Other services' messages have none.
    pub position: Option<(Cow<'a, str>, i64)>,
    /// The `traceparent` of a create whose caller records its trace.
    pub trace: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// Parses `{"notification":{"userId":…,…},"bw":{…}?}`; unknown members are ignored, an integer
    /// `userId` counts as its decimal text. In a message as Bellwire publishes it, the
    /// notification's values are not validated, only its brackets and strings.
    ///
    /// # Errors
    /// A short text for the log if the message cannot be delivered to any user.
    pub fn parse(payload: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(payload).map_err(|_| "not UTF-8")?;
        ours::parse(text).map_or_else(|| Self::parse_any(text), Ok)
    }

    fn parse_any(text: &'a str) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            notification: Option<&'a RawValue>,
            #[serde(borrow)]
            bw: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Place<'a> {
            #[serde(borrow)]
            epoch: Cow<'a, str>,
            seq: i64,
        }
        let envelope: Envelope<'a> = object(text).ok_or("not a JSON object")?;
        let notification = envelope.notification.ok_or("no `notification`")?.get();
        let user_id = match ours::user_id(notification) {
            Some(user_id) => Cow::Borrowed(user_id),
            None => their_user_id(notification)?,
        };
        check_id(&user_id, "user id").map_err(|_| "`userId` is not a valid id")?;
        // An invalid `bw` makes the message foreign, not undeliverable.
        let place = envelope.bw.and_then(|bw| serde_json::from_str::<Place<'_>>(bw.get()).ok());
        let position = place.filter(|at| at.seq > 0).map(|at| (at.epoch, at.seq));
        Ok(Self { user_id, notification, position, trace: None })
    }
}

/// The user id at any place in the object, as a string or an integer.
fn their_user_id(notification: &str) -> Result<Cow<'_, str>, &'static str> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Recipient<'a> {
        #[serde(borrow)]
        user_id: Option<&'a RawValue>,
    }
    let recipient: Recipient<'_> = object(notification).ok_or("`notification` is not an object")?;
    let user_id = recipient.user_id.ok_or("no `userId`")?;
    let user_id = user_id_from_json(user_id.get())
        .ok_or("`userId` is neither a string nor an integer")?
        .map_err(|_| "`userId` is not a valid id")?;
    Ok(Cow::Owned(user_id.as_str().to_owned()))
}

/// Parses an object; serde alone would also accept an array of the members in order.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
