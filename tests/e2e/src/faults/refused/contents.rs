//! The keys of a Redis as text that can be compared with another run's.

use std::collections::BTreeMap;

use redis::Value;
use support::RedisServer;

/// All keys with their values, but for what depends on the time, and what is derived.
pub(super) async fn dump(redis: &RedisServer) -> BTreeMap<String, String> {
    let keys: Vec<String> = redis.run("KEYS *").await;
    let mut all = BTreeMap::new();
    for key in keys.into_iter().filter(|key| !key.contains(":once")) {
        let kind: String = redis.run_words(&["TYPE", &key]).await;
        let value: Value = redis.run_words(&reading(&kind, &key)).await;
        let ttl: i64 = redis.run_words(&["TTL", &key]).await;
        all.insert(key, described(&kind, &value, ttl));
    }
    all
}

/// The command that reads a key of this type.
pub(in crate::faults) fn reading<'a>(kind: &str, key: &'a str) -> Vec<&'a str> {
    match kind {
        "list" => vec!["LRANGE", key, "0", "-1"],
        "hash" => vec!["HGETALL", key],
        "zset" => vec!["ZRANGE", key, "0", "-1", "WITHSCORES"],
        "set" => vec!["SMEMBERS", key],
        _ => vec!["GET", key],
    }
}

/// What that command answered, and whether the key expires.
pub(in crate::faults) fn described(kind: &str, value: &Value, ttl: i64) -> String {
    let text = match (kind, value) {
        ("hash", Value::Array(fields)) => hash(fields),
        ("set", Value::Array(members)) => sorted(members.iter().map(text_of).collect()),
        _ => text_of(value),
    };
    format!("{} {}", timeless(&text), if ttl > 0 { "expires" } else { "stays" })
}

fn hash(fields: &[Value]) -> String {
    const DERIVED: [&str; 6] =
        ["unread", "unread_n", "unread_tail", "unread_until", "some_expired", "top"];
    let fields = fields.chunks(2).map(|pair| (text_of(&pair[0]), text_of(&pair[1])));
    let kept = fields.filter(|(name, value)| {
        let is_empty = name == "told" && value.is_empty();
        !is_empty && !DERIVED.contains(&name.as_str())
    });
    sorted(kept.map(|(name, value)| format!("{name}={value}")).collect())
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    words.join(" ")
}

pub(in crate::faults) fn text_of(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}

/// With `T` for every number that may be a time.
pub(in crate::faults) fn timeless(text: &str) -> String {
    let (mut out, mut digits) = (String::new(), String::new());
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        out += if digits.len() >= 10 { "T" } else { &digits };
        digits.clear();
        out.push(letter);
    }
    out.trim_end().to_owned()
}
