//! The form of replies: the values that `execute` can return, and the size limit.

use redis::{ErrorKind, FromRedisValue, RedisError, Value};

use crate::bindings::redis::{Error, RedisResult};

/// Spin's limit on one reply, counted after reading it.
const REPLY_BYTES_MAX: usize = 128 * 1024 * 1024;

pub(crate) fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > REPLY_BYTES_MAX {
        return Err(Error::Other(format!("query result exceeds limit of {REPLY_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn memory_bytes(value: &RedisResult) -> usize {
    size_of::<RedisResult>()
        + match value {
            RedisResult::Nil | RedisResult::Int64(_) => 0,
            RedisResult::Binary(bytes) => bytes.len(),
            RedisResult::Status(text) => text.len(),
        }
}

/// A reply as `execute` returns it: nested arrays are flattened, maps are rejected.
pub(crate) struct FlatReply(pub(crate) Vec<RedisResult>);

impl FlatReply {
    pub(crate) fn checked(self) -> Result<Vec<RedisResult>, Error> {
        let values_bytes: usize = self.0.iter().map(memory_bytes).sum();
        check_size(size_of::<Vec<RedisResult>>() + values_bytes)?;
        Ok(self.0)
    }
}

impl FromRedisValue for FlatReply {
    fn from_redis_value(value: &Value) -> redis::RedisResult<Self> {
        let mut values = Vec::new();
        flatten(value, &mut values)?;
        Ok(Self(values))
    }
}

fn flatten(value: &Value, into: &mut Vec<RedisResult>) -> redis::RedisResult<()> {
    let flat = match value {
        Value::Array(items) | Value::Set(items) => {
            return items.iter().try_for_each(|item| flatten(item, into));
        }
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(*number),
        Value::Boolean(truth) => RedisResult::Int64(i64::from(*truth)),
        Value::BulkString(bytes) => RedisResult::Binary(bytes.clone()),
        Value::SimpleString(text) => RedisResult::Status(text.clone()),
        Value::Okay => RedisResult::Status("OK".into()),
        Value::Double(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::BigNumber(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::Map(_) => return Err(unsupported("Redis Map type is not supported")),
        Value::Attribute { .. } => {
            return Err(unsupported("Redis Attribute type is not supported"));
        }
        Value::VerbatimString { .. } => {
            return Err(unsupported("Redis string with format attribute is not supported"));
        }
        Value::Push { .. } => return Err(unsupported("Redis Pub/Sub types are not supported")),
        Value::ServerError(error) => {
            let detail = format!("{error:?}");
            return Err(RedisError::from((ErrorKind::ResponseError, "Server error", detail)));
        }
    };
    into.push(flat);
    Ok(())
}

fn unsupported(what: &str) -> RedisError {
    RedisError::from((ErrorKind::TypeError, "Could not convert Redis response", what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_arrays_are_flattened() {
        let nested = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::Array(vec![Value::Okay])]),
            Value::Array(vec![]),
            Value::BulkString(b"x".to_vec()),
        ]);
        let FlatReply(flat) = FlatReply::from_redis_value(&nested).unwrap();
        assert_eq!(
            format!("{flat:?}"),
            format!(
                "{:?}",
                vec![
                    RedisResult::Int64(1),
                    RedisResult::Nil,
                    RedisResult::Status("OK".into()),
                    RedisResult::Binary(b"x".to_vec()),
                ]
            )
        );
    }

    #[test]
    fn maps_are_rejected_even_inside_arrays() {
        let map = Value::Array(vec![Value::Map(vec![(Value::Int(1), Value::Int(2))])]);
        let error = FlatReply::from_redis_value(&map).err().unwrap();
        assert_eq!(
            error.to_string(),
            "Could not convert Redis response - TypeError: Redis Map type is not supported"
        );
    }
}
