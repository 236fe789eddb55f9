//! The position after which a watch goes on.

use crate::api::query;
use crate::failure::{Failure, Outcome};

/// The last thing that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// A position in the user's feed.
    Position { epoch: String, seq: u64 },
    /// A notification, where the epoch is not known.
    Id(String),
}

impl Cursor {
    /// `id:<id>` or `<epoch>:<seq>`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Outcome<Self> {
        match text.split_once(':') {
            Some(("id", id)) if !id.is_empty() => Ok(Cursor::Id(id.to_owned())),
            Some((epoch, seq)) if !epoch.is_empty() && seq.parse::<u64>().is_ok() => {
                Ok(Cursor::Position { epoch: epoch.to_owned(), seq: seq.parse().unwrap_or(0) })
            }
            _ => Err(Failure::usage(format!(
                "--since: {text:?} is neither id:<id> nor <epoch>:<seq>"
            ))),
        }
    }

    /// The query of a handshake.
    pub fn query(&self) -> String {
        match self {
            Cursor::Position { epoch, seq } => {
                query(&[("since", Some(format!("seq:{seq}"))), ("epoch", Some(epoch.clone()))])
            }
            Cursor::Id(id) => query(&[("since", Some(format!("id:{id}")))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_positions_or_ids() {
        assert_eq!(Cursor::parse("id:a-1").unwrap().query(), "?since=id%3Aa-1");
        assert_eq!(Cursor::parse("5d0c:7").unwrap().query(), "?since=seq%3A7&epoch=5d0c");
        for text in ["", "7", ":7", "id:", "5d0c:x", "5d0c:-1"] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
    }
}
