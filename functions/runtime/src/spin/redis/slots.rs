//! The reply of `CLUSTER SLOTS` as the host passes it on: without its arrays.

use shared::cluster::{Server, SlotMap};

use crate::ports::redis::Reply;

/// The map in a reply of `CLUSTER SLOTS` of the host `asked`.
///
/// Per range: first slot, last slot, then per node endpoint, port, id, and its other endpoints as
/// names and values. Only a range begins with two numbers. The first node is the master; an endpoint
/// that is empty or missing is the host that was asked.
///
/// # Errors
/// Why there is no map.
pub(super) fn parse(reply: &[Reply], asked: &str) -> Result<SlotMap, &'static str> {
    const NO_SLOTS: &str = "it knows no slots";
    let (ranges, has_unnamed) = ranges(reply, asked).ok_or(NO_SLOTS)?;
    match SlotMap::of_cluster(ranges) {
        Some(map) => Ok(map.with_unnamed(has_unnamed)),
        None => Err(if has_unnamed { SlotMap::UNNAMED } else { NO_SLOTS }),
    }
}

/// First and last slot, and their master.
type Range = (u16, u16, Server);

/// The ranges, and whether some are left out because their master has no name.
fn ranges(reply: &[Reply], asked: &str) -> Option<(Vec<Range>, bool)> {
    let (mut ranges, mut has_unnamed) = (Vec::new(), false);
    for (at, pair) in reply.windows(2).enumerate() {
        let [Reply::Int(first), Reply::Int(last)] = pair else { continue };
        let endpoint = match reply.get(at + 2)? {
            Reply::Nil => "",
            endpoint => endpoint.text()?,
        };
        let port = u16::try_from(reply.get(at + 3)?.int()?).ok()?;
        // A master that shall be named by its host name and has none.
        if endpoint == "?" {
            has_unnamed = true;
            continue;
        }
        let host = if endpoint.is_empty() { asked } else { endpoint }.to_owned();
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        ranges.push((first, last, Server { host, port }));
    }
    Some((ranges, has_unnamed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    fn node(endpoint: Reply, port: i64, id: &str) -> Vec<Reply> {
        vec![endpoint, Reply::Int(port), bytes(id)]
    }

    #[test]
    fn ranges_with_replicas_and_other_endpoints() {
        let reply = [
            vec![Reply::Int(0), Reply::Int(5460)],
            node(bytes("a.example"), 7000, "1a"),
            vec![bytes("ip"), bytes("10.0.0.1")],
            node(bytes("b.example"), 7001, "2b"),
            vec![Reply::Int(5461), Reply::Int(5461)],
            node(Reply::Nil, 7002, "3c"),
            vec![Reply::Int(5462), Reply::Int(16_383)],
            node(bytes(""), 7003, "4d"),
        ]
        .concat();
        let map = parse(&reply, "asked").unwrap();
        let server = |slot| map.servers()[map.position_of_slot(slot).unwrap()].to_string();
        assert_eq!(
            [0, 5460, 5461, 5462].map(server),
            ["a.example:7000", "a.example:7000", "asked:7002", "asked:7003"]
        );
    }

    #[test]
    fn a_master_without_a_name_is_left_out() {
        let known = [vec![Reply::Int(0), Reply::Int(9)], node(bytes("a"), 1, "x")].concat();
        let unknown = [vec![Reply::Int(10), Reply::Int(19)], node(bytes("?"), 1, "y")].concat();
        let map = parse(&[known, unknown.clone()].concat(), "asked").unwrap();
        assert_eq!((map.position_of_slot(9), map.position_of_slot(10)), (Some(0), None));
        assert!(map.gap().unwrap().contains("announces no host name"));
        assert_eq!(parse(&unknown, "asked"), Err(SlotMap::UNNAMED));
        assert_eq!(parse(&[], "asked"), Err("it knows no slots"));
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        prop_oneof![
            Just(Reply::Nil),
            (-5_i64..70_000).prop_map(Reply::Int),
            "[a-z?.]{0,4}".prop_map(Reply::Status),
            proptest::collection::vec(any::<u8>(), 0..4).prop_map(Reply::Bytes),
        ]
    }

    proptest! {
        /// A map that is read names existing slots only.
        #[test]
        fn any_reply_is_a_map_or_none(
            reply in proptest::collection::vec(any_reply(), 0..40)
        ) {
            if let Ok(map) = parse(&reply, "asked") {
                prop_assert!(!map.servers().is_empty());
            }
        }
    }
}
