//! Names of queues: a queue is the Redis key of that name, so the name must not be a key with
//! another purpose.

use std::cell::OnceCell;

use resources::Resources;
use runtime::{Code, Error, log};
use shared::QueueName;

/// # Errors
/// `invalid_id`; `reserved_name` for a key of another capability or of a cached resource;
/// `internal` if the resources are unknown.
pub fn parse(text: &str) -> Result<QueueName, Error> {
    unlike(text, &|key| {
        thread_local! {
            static RESOURCES: OnceCell<Result<Resources, Error>> = const { OnceCell::new() };
        }
        RESOURCES.with(|resources| match resources.get_or_init(load) {
            Ok(resources) => Ok(resources.own(key)),
            Err(error) => Err(error.clone()),
        })
    })
}

fn unlike(text: &str, is_cached: &dyn Fn(&str) -> Result<bool, Error>) -> Result<QueueName, Error> {
    let name = QueueName::parse(text)?;
    if is_cached(text)? {
        return Err(QueueName::reserved(text));
    }
    Ok(name)
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
    fn no_queue_is_named_as_a_cached_resource() {
        let name = |text: &str| unlike(text, &|key| Ok(key == "all_blogs"));
        assert!(name("work").is_ok());
        assert_eq!(name("all_blogs").expect_err("reserved").code(), Code::ReservedName);
        assert_eq!(name("bw:x").expect_err("reserved").code(), Code::ReservedName);
        let unknown = unlike("work", &|_| Err(Error::new(Code::Internal, "")));
        assert_eq!(unknown.expect_err("resources unknown").code(), Code::Internal);
    }
}
