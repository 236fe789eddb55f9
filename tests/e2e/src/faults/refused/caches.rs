//! Cached values: a reader gets an answer, and nothing older comes back.

use shared::script;

use super::{Bench, Call, Case, Refusal, call, check};

/// A cached value in another slot: the script gets it as an argument, not among its keys.
pub(super) const ELSEWHERE: &str = "elsewhere";
const LEASE: &str = "lease0 5000 60000 60000 60000 180000 600000";

fn keys() -> Vec<String> {
    ["page", "bw:meta:{page}", "bw:lease:{page}", "bw:tag:{t}"].map(str::to_owned).into()
}

fn read() -> Call {
    call(&script::CACHE_READ, &keys(), &["0", LEASE])
}

fn write(mode: &str, body: &str) -> Call {
    let times = "60000 180000 0 0 600000";
    call(&script::CACHE_WRITE, &keys(), &["lease0", mode, times, body, "tag", "", ""])
}

fn invalidate(mode: &str) -> Call {
    call(&script::CACHE_INVALIDATE, &keys(), &[mode, "180000", "again", "600000"])
}

#[tokio::test]
async fn a_read_or_an_invalidation() {
    check(cases()).await;
}

fn cases() -> Vec<Case> {
    let led = || vec![read()];
    let stored = || vec![read(), write("value", "{}")];
    let tags = |mode| call(&script::CACHE_TAGS, &keys()[3..], &[mode, "changed", "600000"]);
    vec![
        Case::new("miss", Vec::new(), read()),
        Case::new("lead a refresh", vec![read(), write("value", "{}"), invalidate("soft")], read())
            .any_answer(),
        Case::new("invalidate softly", stored(), invalidate("soft")).any_answer(),
        Case::new("invalidate hard", stored(), invalidate("hard")).any_answer(),
        Case::new("invalidate another service's", Vec::new(), invalidate("soft"))
            .command(&["SET", "page", "{}", "EX", "600"])
            .any_answer(),
        Case::new("tags softly", stored(), tags("soft")).any_answer(),
        Case::new("tags hard", led(), tags("hard")).any_answer(),
    ]
}

/// The calls as a cluster gets them, which has tags in other slots, and those of counts.
pub(in crate::faults) fn cases_of_a_cluster() -> Vec<Case> {
    const TAG: &str = "v/1 0 0";
    let own = || keys()[..3].to_vec();
    let read = || call(&script::CACHE_READ, &own(), &["0", LEASE, "", "", TAG]);
    let write = |mode: &str, tag: &str| {
        let times = "60000 180000 0 0 600000";
        call(&script::CACHE_WRITE, &own(), &["lease0", mode, times, "{}", "tag", "", "", "", tag])
    };
    let invalidate = |mode: &str| {
        call(&script::CACHE_INVALIDATE, &own(), &[mode, "180000", "again", "600000", TAG])
    };
    let stored = || vec![read(), write("value", TAG)];
    let led_again = || vec![read(), write("value", TAG), invalidate("soft"), read()];
    let tag = &keys()[3..];
    let peek = || call(&script::CACHE_PEEK, &keys()[..2], &["bw:tag:{t}", ELSEWHERE]);
    let versions = |renew: &str| call(&script::CACHE_VERSIONS, tag, &["word", "600000", renew]);
    let tags = call(&script::CACHE_TAGS, tag, &["soft", "changed", "600000"]);
    let hour = ["bw:counts:{cache}:1".to_owned()];
    let counts = ["600", "page", "1", "0", "2", "0", "0", "7", "7"];
    let count = || call(&script::CACHE_COUNT, &hour, &counts);
    let foreign = ["SET", "page", "{}", "EX", "600"];
    vec![
        Case::new("read what is not there", Vec::new(), read()).any_answer(),
        Case::new("read another service's", Vec::new(), read()).command(&foreign).any_answer(),
        Case::new("read what is fresh", stored(), read()).any_answer(),
        Case::new("read what is stale", [stored(), vec![invalidate("soft")]].concat(), read())
            .any_answer(),
        Case::new("peek", stored(), peek()).any_answer(),
        Case::new("write what is new", vec![read()], write("value", TAG)),
        Case::new("write", led_again(), write("value", TAG)),
        Case::new("write the same", led_again(), write("same", TAG)),
        Case::new("write that it is gone", led_again(), write("absent", TAG)),
        Case::new("write an error", led_again(), write("error", TAG)),
        Case::new("write too late", led_again(), write("value", "v/2 5 0")),
        Case::new("invalidate softly", stored(), invalidate("soft")),
        Case::new("invalidate hard", led_again(), invalidate("hard")),
        Case::new("invalidate another service's", Vec::new(), invalidate("soft")).command(&foreign),
        Case::new("versions of a new tag", Vec::new(), versions("")),
        Case::new("versions", vec![versions("")], versions("1")),
        Case::new("tags", vec![versions("")], tags),
        Case::new("count", vec![count()], count()),
        Case::new("count for the first time", Vec::new(), count()),
        Case::new("sum", vec![count()], call(&script::CACHE_SUM, &hour, &[])),
    ]
}

/// A write that is refused ends the cache lease: the next reader fetches again.
#[tokio::test]
async fn a_write() {
    let bench = Bench::start().await;
    let stored = || vec![read(), write("value", "1"), invalidate("soft"), read()];
    for (mode, body, before) in
        [("value", "2", stored()), ("same", "", stored()), ("value", "2", vec![read()])]
    {
        let case = Case::new("write", before, write(mode, body));
        bench.prepare(&case).await;
        assert!(bench.eval(&case.call, 0, false).await.unwrap().starts_with("stored"));
        let mut refusals = vec![Refusal::Memory];
        refusals.extend(bench.called().await.into_iter().map(Refusal::Command));
        refusals.extend(case.call.keys.iter().cloned().map(Refusal::Key));
        for refusal in refusals {
            bench.prepare(&case).await;
            bench.refuse(&case, &refusal).await;
            let _ = bench.eval(&case.call, 0, false).await;
            bench.permit().await;
            // Whoever could not end the cache lease has it still.
            let mut answer = bench.eval(&read(), 0, false).await.unwrap();
            if !answer.starts_with("fresh") {
                let last = bench.eval(&case.call, 0, false).await.unwrap();
                assert!(last.starts_with("stored"), "{mode}, {refusal:?}: {answer}, {last}");
                answer = bench.eval(&read(), 0, false).await.unwrap();
            }
            let body = if mode == "same" { " 1" } else { " 2" };
            let is_right = answer.starts_with("fresh") && answer.ends_with(body);
            assert!(is_right, "{mode}, {refusal:?}: {answer}");
        }
    }
}
