//! Names of queues: the queue is the Redis key of that name, so a name must not be a key that
//! belongs to something else.

use runtime::{Code, Error};
use shared::ids::check_name;
use shared::keys::{NOTIFICATIONS_CHANNEL, ONLINE_USERS, RESERVED_PREFIXES};

/// Name of a queue, and of the list that other services may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueName(String);

impl QueueName {
    /// # Errors
    /// `invalid_id`; `reserved_name` for a key of another capability.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_name(text, "queue name")?;
        let is_reserved = text == ONLINE_USERS
            || text == NOTIFICATIONS_CHANNEL
            || RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        if is_reserved {
            let problem = format!("the queue name {text:?} belongs to another capability");
            return Err(Error::new(Code::ReservedName, problem));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_reaches_another_capability() {
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
