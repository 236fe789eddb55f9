//! Time and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use spin_sdk::wasip3::random::random::get_random_u64;

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// 16 random bytes.
pub fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let (high, low) = bytes.split_at_mut(8);
    high.copy_from_slice(&get_random_u64().to_le_bytes());
    low.copy_from_slice(&get_random_u64().to_le_bytes());
    bytes
}

/// A time-ordered UUID (RFC 9562, version 7) in its canonical text form.
pub fn uuid_v7(unix_ms: i64) -> String {
    let [a, b, c, d, e, f, g, h, i, j, ..] = random_bytes();
    let random = [a, b, c, d, e, f, g, h, i, j];
    let ms = u64::try_from(unix_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
}

/// 64 random bits as 16 hexadecimal digits. Enough for epochs, of which there are few.
pub fn random_word() -> String {
    format!("{:016x}", get_random_u64())
}
