//! Ids from outside, validated once and typed from then on.

use std::borrow::Borrow;
use std::fmt;

use smol_str::SmolStr;

use crate::error::{Code, Error};
use crate::keys::is_reserved;
use crate::limits::ID_BYTES_MAX;

/// Id of a user: 1–128 of `A-Z a-z 0-9 . _ ~ @ + | -`, not `.` or `..`.
///
/// The alphabet keeps ids safe inside Redis keys (no `:`, `{` or `}`), paths and JSON text.
///
/// Short ids need no allocation: a hub keeps many, and compares one per message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(SmolStr);

impl UserId {
    /// Validates `text`.
    ///
    /// # Errors
    /// `invalid_id`, naming the problem.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_id(text, "user id")?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lets a map by user be queried with a text that is known to be valid.
impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Id of a campaign: same alphabet and length, so that `campaign:{id}:responses` cannot be another
/// campaign's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(Box<str>);

impl CampaignId {
    /// Validates `text`.
    ///
    /// # Errors
    /// `invalid_id`, naming the problem.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_id(text, "campaign id")?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a user's device: same alphabet and length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceName(Box<str>);

impl DeviceName {
    /// The device that is the user's push token.
    pub const DEFAULT: &'static str = "default";

    /// Validates `text`.
    ///
    /// # Errors
    /// `invalid_id`, naming the problem.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_id(text, "device name")?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the device is the user's push token.
    pub fn is_default(&self) -> bool {
        &*self.0 == Self::DEFAULT
    }
}

/// Name of a queue: the Redis key of its list, which other services may use. Never the key of
/// another capability. The caller checks it against the keys of cached resources, which their
/// declarations define.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueName(Box<str>);

impl QueueName {
    /// Validates `text`.
    ///
    /// # Errors
    /// `invalid_id`, naming the problem; `reserved_name`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_name(text, "queue name")?;
        if is_reserved(text) {
            return Err(Self::reserved(text));
        }
        Ok(Self(text.into()))
    }

    /// The error for a name that belongs to another capability.
    pub fn reserved(text: &str) -> Error {
        let problem = format!("the queue name {text:?} belongs to another capability");
        Error::new(Code::ReservedName, problem)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Validates an id of any kind; `what` names the id in the error.
pub fn check_id(text: &str, what: &str) -> Result<(), Error> {
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > ID_BYTES_MAX {
        format!("has {} bytes, at most {ID_BYTES_MAX} are allowed", text.len())
    } else if text == "." || text == ".." {
        "must not be . or ..".to_owned()
    } else if let Some(bad) = text.chars().find(|c| !is_id_char(*c)) {
        format!("contains {bad:?}; allowed are A-Z a-z 0-9 . _ ~ @ + | -")
    } else {
        return Ok(());
    };
    Err(Error::new(Code::InvalidId, format!("the {what} {problem}")))
}

/// Validates a name of a queue or resource: like [`check_id`], but `:` is allowed.
///
/// # Errors
/// `invalid_id`.
pub fn check_name(text: &str, what: &str) -> Result<(), Error> {
    check_id(&text.replace(':', "-"), what)
}

/// Whether ids may contain the character.
pub fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '@' | '+' | '|' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_the_alphabet() {
        for good in ["a", "7", "a.b_c~d@e+f|g-h", "...", &"x".repeat(128)] {
            assert!(UserId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "a:b", "{a}", "é", "a\0", &"x".repeat(129)] {
            let error = UserId::parse(bad).expect_err(bad);
            assert_eq!(error.code(), Code::InvalidId);
        }
    }

    #[test]
    fn no_queue_is_named_as_another_capabilitys_key() {
        for good in ["work", "notification:responses", "a:b", "users", "bwx", "campaigns:1"] {
            assert!(QueueName::parse(good).is_ok(), "{good}");
        }
        for reserved in
            ["online_users", "bw:x", "user:a:token", "campaign:1", "notifications:alice", "bw:"]
        {
            let error = QueueName::parse(reserved).expect_err(reserved);
            assert_eq!(error.code(), Code::ReservedName, "{reserved}");
        }
        for bad in ["", "a b", "{q}", "..", "a/b"] {
            assert_eq!(QueueName::parse(bad).expect_err(bad).code(), Code::InvalidId, "{bad}");
        }
    }
}
