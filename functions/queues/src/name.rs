//! Names of queues: the queue is the Redis key of that name, so a name must not be a key that
//! belongs to something else.

use std::cell::OnceCell;

use resources::Resources;
use runtime::{Code, Error, log};
use shared::ids::check_name;
use shared::keys::is_reserved;

/// Name of a queue, and of the list that other services may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueName(String);

impl QueueName {
    /// # Errors
    /// `invalid_id`; `reserved_name` for a key of another capability or of a cached resource;
    /// `internal` when the resources are not known.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::unlike(text, &|key| {
            thread_local! {
                static RESOURCES: OnceCell<Result<Resources, Error>> = const { OnceCell::new() };
            }
            RESOURCES.with(|resources| match resources.get_or_init(load) {
                Ok(resources) => Ok(resources.own(key)),
                Err(error) => Err(error.clone()),
            })
        })
    }

    fn unlike(text: &str, is_cached: &dyn Fn(&str) -> Result<bool, Error>) -> Result<Self, Error> {
        check_name(text, "queue name")?;
        if is_reserved(text) || is_cached(text)? {
            let problem = format!("the queue name {text:?} belongs to another capability");
            return Err(Error::new(Code::ReservedName, problem));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn load() -> Result<Resources, Error> {
    Resources::mounted().map_err(|problem| {
        log::error("resources_unusable", &[("file", "resources.toml"), ("error", &problem)]);
        Error::new(Code::Internal, "the resources are not configured")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_reaches_another_capability() {
        let name = |text: &str| QueueName::unlike(text, &|key| Ok(key == "all_blogs"));
        for good in ["work", "notification:responses", "a:b", "users", "bwx", "campaigns:1"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for reserved in [
            "online_users",
            "bw:x",
            "user:a:token",
            "campaign:1",
            "notifications:alice",
            "bw:",
            "all_blogs",
        ] {
            assert_eq!(name(reserved).expect_err(reserved).code(), Code::ReservedName);
        }
        for bad in ["", "a b", "{q}", "..", "a/b"] {
            assert_eq!(name(bad).expect_err(bad).code(), Code::InvalidId, "{bad}");
        }
    }
}
