use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{CampaignId, Code};

fn bytes(parts: &[&str]) -> Vec<Vec<u8>> {
    parts.iter().map(|part| part.as_bytes().to_vec()).collect()
}

fn claim() -> Claim {
    Claim::new(CampaignId::parse("c").unwrap(), "n1".to_owned(), 500, 0)
}

fn block(parts: &[&str]) -> Block {
    let head = ["running", "", "100", "7", "", "1000"];
    claim().answered(&bytes(&[&head, parts].concat())).unwrap().block.unwrap()
}

fn args(call: &Call) -> Vec<String> {
    call.args.iter().map(|arg| String::from_utf8(arg.clone()).unwrap()).collect()
}

const ITEM: &str = r#"b.0 2 900 1 phone,tablet {"userId":"a b"}"#;

#[test]
fn a_claim_says_what_may_be_had_and_when() {
    let call = claim().call();
    assert_eq!(call.keys.len(), 7);
    assert_eq!(args(&call)[1..3], ["n1", "500"]);
    let claimed = claim().answered(&bytes(&["paused", "credentials", "1000", "7", "", "5"]));
    let claimed = claimed.unwrap();
    assert_eq!((claimed.state, claimed.reason.as_deref()), (State::Paused, Some("credentials")));
    assert_eq!(claimed.wait, Some(Duration::from_secs(1)));
    assert!(claimed.block.is_none() && claimed.options.is_none());
    let done = claim().answered(&bytes(&["done", "", "-1", "7", "", "5"])).unwrap();
    assert_eq!(done.wait, None);
    for bad in [
        &["running"][..],
        &["asleep", "", "1", "7", "", "5"],
        &["running", "", "x", "7", "", "5"],
        &["running", "", "1", "7", "{}", "5"],
        &["running", "", "1", "7", "", "5", "n1", "0", "0", "00", "a"],
        &["running", "", "1", "7", "", "5", "n1", "0", "1", "0", "no item"],
    ] {
        assert_eq!(claim().answered(&bytes(bad)).unwrap_err(), Malformed("push_claim"), "{bad:?}");
    }
}

#[test]
fn a_block_has_items_and_elements_by_their_numbers() {
    let block = block(&["old", "1", "1", "0110", ITEM, "{}"]);
    assert!(block.in_doubt());
    let items: Vec<(usize, &Item)> = block.items().collect();
    assert_eq!(items.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 3]);
    let (retry, fresh) = (items[0].1, items[1].1);
    assert_eq!((retry.attempts, retry.first_ms, retry.is_sent), (2, 900, true));
    assert_eq!(retry.devices, ["phone", "tablet"]);
    assert_eq!(retry.element, br#"{"userId":"a b"}"#);
    assert_eq!((fresh.attempts, fresh.first_ms, fresh.element.as_slice()), (0, 1000, &b"{}"[..]));
}

#[test]
fn a_settlement_stays_the_same_until_it_is_answered() {
    let mut block = block(&["n1", "0", "1", "0000", ITEM, "x", "y", "z"]);
    assert!(!block.has_news());
    assert!(block.settle(1, End::Sent) && !block.settle(1, End::Failed), "the first end counts");
    assert!(!block.settle(9, End::Sent));
    let devices = vec!["phone".to_owned()];
    block.settle(
        0,
        End::Later { wait: Duration::from_secs(20), attempts: 3, is_sent: true, devices },
    );
    block.respond(r#"{"userId":"x"}"#.to_owned());
    let first = block.settlement();
    let later = r#"n1.0 3 900 1 phone {"userId":"a b"}"#;
    let settle = ["n1", "n1", "1", "30000", "1100", "1", "0", "0", "0", "", "10000", "1"];
    assert_eq!(args(&first.settle)[1..13], settle);
    assert_eq!(args(&first.settle)[13..], ["20000", later]);
    let respond = first.respond.unwrap();
    assert_eq!(respond.keys, ["campaign:c:responses", "bw:once:{campaign:c:responses}:n1.n1.1"]);
    assert_eq!(args(&respond)[3..], [r#"{"userId":"x"}"#]);

    block.settle(2, End::Dead { devices: Vec::new() });
    block.settle(3, End::Skipped);
    block.pause(PauseReason::ManyInvalid);
    assert_eq!(block.settlement().settle.args, first.settle.args);
    let settled = block.answered(&bytes(&["1", "running", "7"])).unwrap();
    assert_eq!(settled, Settled { is_owned: true, state: State::Running, rev: 7 });
    assert!(block.has_news() && !block.is_over());
    let last = block.settlement();
    let settle = ["2", "30000", "", "0", "1", "0", "1", "many_invalid", "10000", "0"];
    assert_eq!(args(&last.settle)[3..13], settle);
    assert_eq!(args(&last.settle)[13..], ["n1.2 0 1000 0 * y"]);
    assert!(last.respond.is_none() && !block.is_over());
    assert!(block.answered(&bytes(&["2"])).is_err() && !block.is_over());
    block.answered(&bytes(&["1", "paused", "7"])).unwrap();
    assert!(block.is_over());
}

#[test]
fn an_item_keeps_its_bytes() {
    let element = b"\xff {\"a\": 1} \n ";
    let item = Item { is_sent: true, attempts: 4, ..Item::new(element, 12) };
    let text = item.to_bytes("k");
    assert_eq!(Item::parse(&text), Some(item));
    for bad in [&b""[..], b"k 1 2 0 *", b"k x 2 0 * e", b"k 1 2 3 * e", b"k -1 2 0 * e"] {
        assert_eq!(Item::parse(bad), None);
    }
}

#[test]
fn an_entry_stays_with_its_user() {
    let mut block = block(&["n1", "0", "0", "00", "x", "y"]);
    for (at, entry) in ["0198-1", "not an id"].into_iter().enumerate() {
        block.written(at, entry.to_owned());
        block.settle(at, End::Dead { devices: Vec::new() });
    }
    let settle = block.settlement().settle;
    assert_eq!(args(&settle)[13..], ["n1.0 0 1000 0:0198-1 * x", "n1.1 0 1000 0 * y"]);
    let item = Item::parse(b"n1.0 0 1000 0:0198-1 * x").unwrap();
    assert_eq!((item.is_sent, item.entry.as_deref()), (false, Some("0198-1")));
}

#[test]
fn a_release_gives_a_user_back_unchanged() {
    let mut block = block(&["n1", "0", "1", "0", ITEM]);
    let end = End::released(block.open().next().unwrap().1);
    block.settle(0, end);
    let settle = block.settlement().settle;
    assert_eq!(args(&settle)[13..], ["0", r#"n1.0 2 900 1 phone,tablet {"userId":"a b"}"#]);
}

#[test]
fn options_survive_redis_and_have_defaults() {
    let body = r#"{"template": {"title": "{{x}}"}}"#;
    let options = Options::parse(body.as_bytes(), 0).unwrap();
    let json = options.to_json();
    assert_eq!(
        json,
        r#"{"template":{"title": "{{x}}"},"when":"always","rate":1000,"startAtMs":0,"#.to_owned()
            + r#""ttlSeconds":2419200,"dryRun":false,"responses":"failures","doubt":"resend","#
            + r#""feed":false}"#
    );
    assert_eq!(Options::from_json(&json), Some(options));
    let body = r#"{"template":{"title":"x"},"when":"never","feed":true,"rate":5,"doubt":"drop",
        "startAt":"1970-01-01T00:00:02Z","ttlSeconds":0,"dryRun":true,"responses":"all"}"#;
    let options = Options::parse(body.as_bytes(), 0).unwrap();
    assert_eq!((options.start_at_ms, options.when, options.rate), (2000, When::Never, 5));
    assert_eq!(Options::from_json(&options.to_json()), Some(options));
    assert_eq!(Options::from_json("{}"), None);
}

#[test]
fn options_name_the_member() {
    for (members, code, field) in [
        (r#""rate":1"#, Code::MissingField, "template"),
        (r#""template":5"#, Code::InvalidField, "template"),
        (r#""template":{}"#, Code::MissingField, "template.title"),
        (r#""template":{"title":"{{"}"#, Code::InvalidField, "template.title"),
        (r#""template":{"title":"x","y":1}"#, Code::UnknownField, "template.y"),
        (r#""template":{"title":"x"},"when":"unread""#, Code::InvalidField, "when"),
        (r#""template":{"title":"x"},"rate":0"#, Code::LimitExceeded, "rate"),
        (r#""template":{"title":"x"},"rate":10001"#, Code::LimitExceeded, "rate"),
        (r#""template":{"title":"x"},"startAt":"soon""#, Code::InvalidField, "startAt"),
        (
            r#""template":{"title":"x"},"startAt":"1970-01-09T00:00:00Z""#,
            Code::LimitExceeded,
            "startAt",
        ),
        (r#""template":{"title":"x"},"ttlSeconds":-1"#, Code::LimitExceeded, "ttlSeconds"),
        (r#""template":{"title":"x"},"dryRun":1"#, Code::InvalidField, "dryRun"),
        (r#""template":{"title":"x"},"responses":"some""#, Code::InvalidField, "responses"),
        (r#""template":{"title":"x"},"doubt":"""#, Code::InvalidField, "doubt"),
        (r#""template":{"title":"x"},"kind":"x""#, Code::UnknownField, "kind"),
    ] {
        let error = Options::parse(format!("{{{members}}}").as_bytes(), 0).unwrap_err();
        assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{members}");
    }
}

#[test]
fn progress_adds_up() {
    let reply = ["running", "", "10", "5", "2", "80", "1", "1", "1", "8000", "1000", "0"];
    let progress = progress::Progress::parse(&bytes(&reply)).unwrap();
    assert_eq!((progress.total(), progress.remaining(), progress.eta_s()), (100, 17, Some(3)));
    let json = r#"{"etaSeconds":3,"failed":1,"invalid":1,"perSecond":8.0,"remaining":17,"#
        .to_owned()
        + r#""retrying":2,"sent":80,"skipped":1,"state":"running","total":100}"#;
    assert_eq!(progress.to_json(), json);
    // Before anything is measured: the rate, which rises for a minute.
    let reply = ["scheduled", "", "330000", "0", "0", "0", "0", "0", "0", "0", "10000", "5000"];
    let progress = progress::Progress::parse(&bytes(&reply)).unwrap();
    assert_eq!(progress.eta_s(), Some(5 + 60 + 3));
    let paused = ["paused", "credentials", "1", "0", "0", "0", "0", "0", "0", "0", "10", "0"];
    let paused = progress::Progress::parse(&bytes(&paused)).unwrap();
    assert!(paused.eta_s().is_none() && paused.to_json().contains(r#""reason":"credentials""#));
    assert_eq!(progress::Progress::parse(&bytes(&reply[..11])), None);
}

#[test]
fn the_index_lists_campaigns_with_their_last_touch() {
    let listed = index::listed(&bytes(&["a", "5", "b c", "6", "d", "7"]));
    assert_eq!(listed.iter().map(|one| one.touched.as_str()).collect::<Vec<_>>(), ["5", "7"]);
    assert_eq!(args(&index::drop(&listed[1]))[0], "d");
    assert_eq!(args(&index::drop(&listed[1]))[3], "7");
    assert_eq!(args(&index::touch(&listed[0].campaign))[3], "");
}

proptest! {
    #[test]
    fn every_item_survives_redis(
        element in prop::collection::vec(any::<u8>(), 0..60), attempts in any::<u32>(),
        first_ms in any::<i64>(), is_sent in any::<bool>(),
        entry in prop::option::of("[A-Za-z0-9:-]{1,40}"),
        devices in prop::collection::vec("[A-Za-z0-9._~@+|-]{1,12}", 0..4),
    ) {
        let item = Item { element, attempts, first_ms, is_sent, entry, devices };
        prop_assert_eq!(Item::parse(&item.to_bytes("b.7")), Some(item));
    }

    #[test]
    fn any_reply_is_a_claim_s_or_an_error(
        state in "(running|paused|none|x)", bits in "[01x]{0,4}",
        parts in prop::collection::vec("(|-?[0-9]{1,20}|k 1 2 0 \\* e|\\PC{0,8})", 0..12),
    ) {
        let mut reply = vec![state.into_bytes()];
        reply.extend(parts.into_iter().map(String::into_bytes));
        if let Some(part) = reply.get_mut(9) {
            *part = bits.into_bytes();
        }
        if let Ok(Claimed { block: Some(mut block), .. }) = claim().answered(&reply) {
            let open: Vec<usize> = block.open().map(|(at, _)| at).collect();
            prop_assert!(open.into_iter().all(|at| block.settle(at, End::Sent)));
            prop_assert!(block.settlement().settle.args[5].is_empty());
        }
        let _ = Settled::parse(&reply);
        let _ = progress::Progress::parse(&reply);
        let _ = index::listed(&reply);
    }
}
