//! Why a delivery failed.

use crate::ports::redis::RedisError;
use crate::record::RecordError;

/// Why a delivery failed. The notification itself is safe in the record.
#[derive(Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// A call of Redis failed.
    Redis(RedisError),
    /// An operation of the record failed.
    Record(RecordError),
    /// Other calls kept changing the feed.
    Busy,
}

impl From<RedisError> for DeliveryError {
    fn from(error: RedisError) -> Self {
        DeliveryError::Redis(error)
    }
}

impl From<RecordError> for DeliveryError {
    fn from(error: RecordError) -> Self {
        DeliveryError::Record(error)
    }
}

impl std::fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeliveryError::Redis(error) => write!(f, "redis: {error}"),
            DeliveryError::Record(error) => write!(f, "record: {error}"),
            DeliveryError::Busy => f.write_str("the feed kept changing"),
        }
    }
}
