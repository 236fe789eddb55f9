//! The hash slot of a key, as the specification of Redis Cluster defines it ("Key distribution
//! model" and "Hash tags").

use crc::{CRC_16_XMODEM, Crc, Table};

/// The number of hash slots.
pub const SLOTS: u16 = 16_384;

/// One table (512 bytes): keys are short, and the larger tables only pay off for long input.
static CRC16: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_XMODEM);

/// The slot of a key, below [`SLOTS`].
///
/// ```
/// use shared::cluster::slot_of;
///
/// assert_eq!(slot_of("foo"), 12_182);
/// assert_eq!(slot_of("bw:feed:{notifications:alice}"), slot_of("notifications:alice"));
/// ```
pub fn slot_of(key: &str) -> u16 {
    CRC16.checksum(hash_tag(key).as_bytes()) % SLOTS
}

/// The part of a key that decides its slot: what is between the first `{` and the next `}`, unless
/// that is empty.
fn hash_tag(key: &str) -> &str {
    let tagged = key.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    match tagged {
        Some((tag, _)) if !tag.is_empty() => tag,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of `CLUSTER KEYSLOT` in Redis 7.0.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo{}{bar}", 8_363),
            ("{user1000}.following", 3_443),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("notifications:alice", 16_136),
            ("online_users", 4_329),
        ] {
            assert_eq!(slot_of(key), slot, "{key}");
        }
    }
}
