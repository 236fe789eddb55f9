//! Cached values: a reader gets an answer, and nothing older comes back.

use shared::script;

use super::{Bench, Call, Case, Refusal, call, check};

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
    let led = || vec![read()];
    let stored = || vec![read(), write("value", "{}")];
    let tags = |mode| call(&script::CACHE_TAGS, &keys()[3..], &[mode, "changed", "600000"]);
    check(vec![
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
    ])
    .await;
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
