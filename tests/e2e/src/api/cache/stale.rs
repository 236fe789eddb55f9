//! What becomes stale while it is kept: the cases of the public HTTP cache tests that let time pass.

use futures_util::future::join_all;
use support::{Functions, Origin, Plan};

use super::rfc9111::{plan, start};

/// What a reader gets once an answer is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// What is stale, while the origin fails.
    Stale,
    /// A failure: nothing stale may be served.
    Failure,
}

/// Reads until the answer is stale, and sees that it is not served as fresh after its second.
async fn check(functions: &Functions, origin: &Origin, case: (&str, &str, &str, Then)) {
    let (name, path, said, then) = case;
    let target = format!("/{name}");
    origin.plan_for(&target, plan(&[("Cache-Control", said)]));
    let read = async || functions.get(&format!("/cache/{path}{target}")).send().await;
    read().await.expect(200);
    origin.plan_for(&target, Plan::status(503));
    let last = support::eventually(name, async || {
        let answer = read().await;
        let is_stale = answer.header_opt("cache-status").is_some_and(|it| it.contains("ttl=-"));
        (answer.status != 200 || is_stale).then_some(answer)
    })
    .await;
    match then {
        Then::Stale => assert_eq!(last.status, 200, "{name}: {last:?}"),
        Then::Failure => assert_eq!(last.status, 502, "{name}: {last:?}"),
    }
}

#[tokio::test]
async fn stale_answers_are_served_only_where_origin_and_resource_allow_it() {
    let (_redis, origin, functions) = start().await;
    let cases = [
        ("stale-503", "case", "max-age=1", Then::Stale),
        ("stale-while-revalidate", "case", "max-age=1, stale-while-revalidate=3600", Then::Stale),
        (
            "stale-sie-503",
            "case",
            "max-age=1, stale-while-revalidate=0, stale-if-error=60",
            Then::Stale,
        ),
        ("stale-s-maxage-swr", "case", "s-maxage=1, stale-while-revalidate=60", Then::Stale),
        ("stale-s-maxage-sie", "case", "s-maxage=1, stale-if-error=60", Then::Stale),
        ("stale-close-must-revalidate", "case", "max-age=1, must-revalidate", Then::Failure),
        (
            "stale-must-revalidate-swr",
            "case",
            "max-age=1, must-revalidate, stale-while-revalidate=60, stale-if-error=60",
            Then::Failure,
        ),
        ("stale-close-proxy-revalidate", "case", "max-age=1, proxy-revalidate", Then::Failure),
        ("stale-close-s-maxage", "case", "max-age=60, s-maxage=1", Then::Failure),
        (
            "stale-none",
            "case",
            "max-age=1, stale-while-revalidate=0, stale-if-error=0",
            Then::Failure,
        ),
        // What is not declared is not allowed by an origin.
        ("freshness-max-age-stale", "strict", "max-age=1", Then::Failure),
        ("cc-resp-immutable-stale", "strict", "max-age=1, immutable", Then::Failure),
        (
            "stale-undeclared",
            "strict",
            "max-age=1, stale-while-revalidate=60, stale-if-error=60",
            Then::Failure,
        ),
    ];
    join_all(cases.map(|case| check(&functions, &origin, case))).await;
}

#[tokio::test]
async fn a_stale_window_of_the_origin_ends() {
    let (_redis, origin, functions) = start().await;
    let read = async || functions.get("/cache/case/stale-while-revalidate-window").send().await;
    let said = "max-age=1, stale-while-revalidate=1, stale-if-error=0";
    origin.plan_for("/stale-while-revalidate-window", plan(&[("Cache-Control", said)]));
    read().await.expect(200);
    origin.plan_for("/stale-while-revalidate-window", Plan::status(503));
    let mut was_stale = false;
    support::eventually("the window ends", async || {
        let answer = read().await;
        was_stale |= answer.status == 200 && answer.header("cache-status").contains("ttl=-");
        assert!(answer.status == 502 || answer.header("age") <= "2", "{answer:?}");
        (answer.status == 502).then_some(())
    })
    .await;
    assert!(was_stale, "nothing stale was served in the window");
}

#[tokio::test]
async fn the_age_grows_and_is_never_negative() {
    let (_redis, origin, functions) = start().await;
    for (name, said, age) in
        [("silent", "", ""), ("aged", "max-age=600", "20"), ("wrong", "max-age=600", "-5")]
    {
        let target = format!("/age-{name}");
        origin.plan_for(&target, plan(&[("Cache-Control", said), ("Age", age)]));
        let read = async || {
            let answer = functions.get(&format!("/cache/case{target}")).send().await.expect(200);
            answer.header("age").parse::<u32>().expect("an age")
        };
        let first = read().await;
        support::eventually("other-age-update", async || {
            let age = read().await;
            assert!(age >= first, "{name}: {age} after {first}");
            (age > first).then_some(())
        })
        .await;
        assert_eq!(origin.count_of(&target), 1);
    }
}
