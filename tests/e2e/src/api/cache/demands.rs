//! What goes out to clients of what an origin demands, and that nobody is handed what is another's.

use std::collections::BTreeSet;

use support::{Functions, Plan, token};

use super::rfc9111::{plan, start};

/// `Cache-Control` with `~` for 95 to 100: the declared time less what chance takes from it.
fn shape(control: &str) -> String {
    (95..=100).fold(control.to_owned(), |text, seconds| text.replace(&format!("={seconds}"), "=~"))
}

#[tokio::test]
async fn demands_are_passed_on_and_never_loosened() {
    let (_redis, origin, functions) = start().await;
    for (at, (said, shared, own)) in [
        (
            "",
            "public, max-age=~, stale-while-revalidate=~, stale-if-error=~",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=3600",
        ),
        ("no-store", "no-store", "private, no-store"),
        ("private, no-store", "private, no-store", "private, no-store"),
        (
            "private",
            "private, no-cache",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=3600",
        ),
        (
            "private, max-age=50",
            "private, no-cache",
            "private, max-age=#, stale-while-revalidate=300, stale-if-error=3600",
        ),
        (
            "private=\"set-cookie\"",
            "private, no-cache",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=3600",
        ),
        ("no-cache", "public, no-cache", "private, no-cache"),
        ("max-age=0", "public, no-cache", "private, no-cache"),
        (
            "public, immutable, max-age=3600",
            "public, max-age=~, stale-while-revalidate=~, stale-if-error=~",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=3600",
        ),
        (
            "must-revalidate",
            "public, max-age=~, must-revalidate",
            "private, max-age=~, must-revalidate",
        ),
        (
            "max-age=600, proxy-revalidate",
            "public, max-age=~, proxy-revalidate",
            "private, max-age=~, proxy-revalidate",
        ),
        (
            "s-maxage=600",
            "public, max-age=~, proxy-revalidate",
            "private, max-age=~, proxy-revalidate",
        ),
        (
            "max-age=3, s-maxage=600",
            "public, max-age=3, s-maxage=~, proxy-revalidate",
            "private, max-age=3, proxy-revalidate",
        ),
        (
            "max-age=600, stale-while-revalidate=9, stale-if-error=8",
            "public, max-age=~, stale-while-revalidate=9, stale-if-error=8",
            "private, max-age=~, stale-while-revalidate=9, stale-if-error=8",
        ),
        (
            "max-age=600, stale-while-revalidate=999999, stale-if-error=x",
            "public, max-age=~, stale-while-revalidate=~, stale-if-error=0",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=0",
        ),
        (
            "max-age=0, stale-while-revalidate=9",
            "public, max-age=0, stale-while-revalidate=9, stale-if-error=0",
            "private, max-age=0, stale-while-revalidate=9, stale-if-error=0",
        ),
        (
            "no-transform",
            "public, max-age=~, stale-while-revalidate=~, stale-if-error=~, no-transform",
            "private, max-age=~, stale-while-revalidate=300, stale-if-error=3600, no-transform",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let said = if said.is_empty() { plan(&[]) } else { plan(&[("Cache-Control", said)]) };
        origin.plan_for(&format!("/said{at}"), said.clone());
        let user = format!("said{at}");
        // A miss, a hit by the script, a hit without it.
        for nth in 0..3 {
            let shown = functions.get(&format!("/cache/case/said{at}")).send().await.expect(200);
            assert_eq!(shape(shown.header("cache-control")), shared, "{nth}: {said:?}");
            let call = functions.get(&format!("/cache/own/{user}")).token(&token(&user, ""));
            let shown = call.send().await.expect(200);
            let control = shape(shown.header("cache-control"));
            let (before, behind) = own.split_once('#').unwrap_or((own, ""));
            assert!(
                control.starts_with(before) && control.ends_with(behind),
                "{control}: {said:?}"
            );
        }
    }
}

#[tokio::test]
async fn words_hold_also_where_the_declared_times_do() {
    let (_redis, origin, functions) = start().await;
    let read = async |name: &str| functions.get(&format!("/cache/words/{name}")).send().await;
    for (name, said, asked) in [
        ("times", "max-age=0, s-maxage=0, stale-while-revalidate=0, stale-if-error=0", 1),
        ("no-store", "no-store", 2),
        ("private", "private", 2),
        ("no-cache", "no-cache", 2),
    ] {
        let target = format!("/{name}");
        origin.plan_for(&target, plan(&[("Cache-Control", said), ("Age", "90"), ("Expires", "0")]));
        read(name).await.expect(200);
        assert_eq!(read(name).await.expect(200).header("age"), "0", "{said}");
        assert_eq!(origin.count_of(&target), asked, "{said}");
    }
    origin.plan_for("/revalidate", plan(&[("Cache-Control", "must-revalidate")]));
    let control = read("revalidate").await.expect(200).header("cache-control").to_owned();
    assert!(control.ends_with(", must-revalidate"), "{control}");
}

#[tokio::test]
async fn readers_at_once_are_not_handed_what_must_not_be_kept() {
    let (_redis, origin, functions) = start().await;
    for said in ["no-store", "private", "private, max-age=60", "no-cache"] {
        let target = format!("/{}", said.split(',').next().unwrap());
        let slow = std::time::Duration::from_millis(300);
        origin.plan_for(&target, Plan { delay: slow, ..plan(&[("Cache-Control", said)]) });
        let before = origin.count_of(&target);
        let reads = (0..20).map(|_| functions.get(&format!("/cache/case{target}")).send());
        let answers = futures_util::future::join_all(reads).await;
        let bodies: BTreeSet<_> = answers.iter().map(|answer| answer.text().to_owned()).collect();
        assert_eq!((bodies.len(), origin.count_of(&target) - before), (20, 20), "{said}");
        for answer in &answers {
            let control = answer.header("cache-control");
            assert!(control.contains("no-store") || control.contains("no-cache"), "{control}");
            assert_eq!(control.contains("private"), said.contains("private"), "{control}");
        }
    }
}

#[tokio::test]
async fn demands_hold_while_redis_is_away() {
    let (redis, origin, functions) = start().await;
    redis.kill();
    for (said, control) in [("no-store", "no-store"), ("private", "private, no-cache")] {
        origin.plan_for(&format!("/{said}"), plan(&[("Cache-Control", said)]));
        let answer = functions.get(&format!("/cache/case/{said}")).send().await.expect(200);
        assert_eq!(answer.header("cache-control"), control);
        assert!(answer.header("cache-status").contains("fwd=bypass"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_kept_ends_with_the_no_store_that_follows_it() {
    let (redis, origin, functions) = start().await;
    let read = async || functions.get("/cache/case/old-new").send().await.expect(200);
    origin.plan_for("/old-new", plan(&[("Cache-Control", "max-age=10000")]));
    let old = read().await;
    let writer = token("svc", "cache:write");
    let call = functions.call("DELETE", "/cache/case/old-new?mode=soft").token(&writer);
    call.send().await.expect(204);
    origin.plan_for("/old-new", plan(&[("Cache-Control", "no-store")]));
    assert_eq!(read().await.text(), old.text());
    support::eventually("the refresh ends", async || {
        (redis.run::<i64>("EXISTS case:old-new").await == 0).then_some(())
    })
    .await;
    let new = read().await;
    assert_ne!(new.text(), old.text());
    assert_eq!(new.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_304_renews_what_was_demanded() {
    let (_redis, origin, functions) = start().await;
    let read = async || functions.get("/cache/case/renewed").send().await.expect(200);
    let etag = ("ETag", "\"v1\"");
    let first = plan(&[etag, ("Cache-Control", "max-age=0, stale-if-error=60, no-transform")]);
    origin.plan_for("/renewed", first);
    let old = read().await;
    let said = "public, max-age=0, stale-while-revalidate=0, stale-if-error=60, no-transform";
    assert_eq!(old.header("cache-control"), said);
    // One that says nothing changes nothing.
    origin.plan_for("/renewed", Plan::status(304).with("ETag", "\"v1\""));
    let same = read().await;
    assert_eq!((same.text(), same.header("cache-control")), (old.text(), said));
    assert!(same.header("cache-status").contains("fwd=stale; stored"), "{same:?}");
    let renewed = Plan::status(304).with("Cache-Control", "max-age=7, must-revalidate");
    origin.plan_for("/renewed", renewed);
    for _ in 0..3 {
        let answer = read().await;
        assert_eq!(answer.text(), old.text());
        let control = answer.header("cache-control");
        assert!(
            ["public, max-age=6, must-revalidate", "public, max-age=7, must-revalidate"]
                .contains(&control),
            "{control}"
        );
        assert_eq!(answer.header("etag"), old.header("etag"));
    }
    assert_eq!(origin.count_of("/renewed"), 3);
}

#[tokio::test]
async fn what_is_not_found_is_remembered_no_longer_than_the_origin_allows() {
    let (_redis, origin, functions) = start().await;
    for (name, said, asked) in [
        ("404-silent", "", 1),
        ("status-404-fresh", "max-age=3600", 1),
        ("status-404-stale", "max-age=0", 3),
        ("404-no-store", "no-store", 3),
        ("404-private", "private, max-age=60", 3),
    ] {
        let target = format!("/{name}");
        let missing = if said.is_empty() { plan(&[]) } else { plan(&[("Cache-Control", said)]) };
        origin.plan_for(&target, Plan { status: 404, ..missing });
        for _ in 0..3 {
            let answer = functions.get(&format!("/cache/case{target}")).send().await;
            let answer = answer.expect_problem(404, "not_found");
            assert_eq!(answer.header("cache-control"), "no-store", "{said}");
        }
        assert_eq!(origin.count_of(&target), asked, "{said}");
    }
}

#[tokio::test]
async fn headers_of_an_origin_end_here() {
    let (_redis, origin, functions) = start().await;
    let said =
        [("Set-Cookie", "a=b"), ("X-Powered-By", "x"), ("Vary", "Cookie"), ("Warning", "110 - x")];
    origin.plan_for("/headers", plan(&said));
    for _ in 0..2 {
        let call = functions.get("/cache/case/headers").header("cookie", "c=d");
        let answer = call.header("authorization", "Basic x").send().await.expect(200);
        for (name, _) in said {
            assert_eq!(answer.header_opt(&name.to_lowercase()), None, "{name}");
        }
        let asked = origin.last();
        assert!(!asked.contains("cookie") && !asked.contains("authorization"), "{asked}");
    }
}

#[tokio::test]
async fn a_client_is_told_what_it_has_by_any_line_of_if_none_match() {
    let (_redis, origin, functions) = start().await;
    origin.plan_for("/known", plan(&[("Cache-Control", "max-age=600, must-revalidate")]));
    let first = functions.get("/cache/case/known").send().await.expect(200);
    let etag = first.header("etag").to_owned();
    let ask = async |functions: &Functions, method: &str, lines: &[&str]| {
        let call = functions.call(method, "/cache/case/known");
        lines.iter().fold(call, |call, line| call.header("if-none-match", line)).send().await
    };
    for method in ["GET", "HEAD"] {
        for lines in [
            &[etag.as_str()][..],
            &["\"x\"", &etag],
            &[&format!("\"a,b\" , W/{etag}"), "\"y\""],
            &["*"],
        ] {
            let answer = ask(&functions, method, lines).await.expect(304);
            assert_eq!((answer.text(), answer.header("etag")), ("", etag.as_str()), "{lines:?}");
            let control = answer.header("cache-control");
            assert!(control.ends_with("must-revalidate"), "{control}");
            assert!(answer.header("age").parse::<u32>().is_ok(), "{answer:?}");
        }
        for lines in
            [&["\"x\""][..], &[etag.trim_matches('"')], &["\"*\""], &[&etag.to_uppercase()]]
        {
            ask(&functions, method, lines).await.expect(200);
        }
    }
    assert_eq!(origin.count_of("/known"), 1);
}
