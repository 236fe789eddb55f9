//! Cached values, whose tags are in other slots.

use std::rc::Rc;
use std::time::Duration;

use runtime::cache::{
    Answer, Cache, CacheRead, Content, Fetched, How, Limits, Mode, Policy, Previous, Wanted,
    Windows,
};
use runtime::ports::redis::{Arg, Redis, RedisError};
use shared::{keys, script};

use super::super::cache_engine::{TokioHost, local, text};
use super::Stage;
use super::store::ClusterRedis;

pub(super) const TAGS: [&str; 3] = ["a", "b", "c"];

pub(super) async fn read<S: Redis + Clone + 'static>(
    cache: &Cache<S, TokioHost>,
    key: &str,
    value: &'static str,
) -> Answer {
    let tags = TAGS.map(str::to_owned);
    let long = Duration::from_secs(100);
    let windows = Windows { fresh: long, stale: long, error: long, absent: long, cool_down: long };
    let policy = Policy::new("test").with_windows(windows);
    let read = CacheRead { key, tags: &tags, if_none_match: "" };
    cache.get_or_refresh(read, &policy, async move |_| Ok(Fetched::json(value))).await.unwrap()
}

#[tokio::test]
async fn cached_values_with_tags_of_other_slots() {
    let stage = Stage::set().await;
    let store = Rc::new(ClusterRedis::connect(&stage.cluster).await);
    let cache = Cache::new(store, TokioHost::new(1));
    local(async {
        assert_eq!(read(&cache, "page", "1").await.how, How::Miss);
        // By the script, then by plain commands.
        for _ in 0..3 {
            let answer = read(&cache, "page", "2").await;
            assert_eq!((answer.how, text(&answer)), (How::Hit, "1"));
        }
        for (at, tag) in TAGS.iter().enumerate() {
            let tags = [(*tag).to_owned(), "unused".to_owned()];
            cache.invalidate_tags(&tags, Mode::Hard).await.unwrap();
            let value = ["\"x\"", "\"y\"", "\"z\""][at];
            let answer = read(&cache, "page", value).await;
            assert_eq!((answer.how, text(&answer)), (How::Miss, value));
            assert_eq!(read(&cache, "page", "0").await.how, How::Hit);
        }
        let tags = TAGS.map(str::to_owned);
        let entry = CacheRead { key: "page", tags: &tags, if_none_match: "" };
        cache.invalidate(entry, &Policy::new("test"), Mode::Hard).await.unwrap();
        let slots = vec!["page".to_owned(), keys::cache_tag("a"), "page".to_owned()];
        let many = async {
            let mut last = String::new();
            for _ in 0..200 {
                last = text(&read(&cache, "page", "3").await).to_owned();
            }
            last
        };
        assert_eq!(stage.while_moving(slots, many).await, "3");
    })
    .await;
}

/// Values on all masters: one call of each.
#[tokio::test]
async fn many_cached_values_cost_one_script_a_master() {
    const VALUES: usize = 24;
    let stage = Stage::set().await;
    let store = Rc::new(ClusterRedis::connect(&stage.cluster).await);
    let cache = Cache::new(store, TokioHost::new(1));
    let long = Duration::from_secs(100);
    let windows = Windows { fresh: long, stale: long, error: long, absent: long, cool_down: long };
    let policy = Policy::new("test").with_windows(windows);
    let values: Vec<(String, Vec<String>)> = (0..VALUES)
        .map(|at| (format!("page{at}"), vec![format!("own{at}"), "shared".to_owned()]))
        .collect();
    let limits = Limits { bytes_max: 1 << 20, wait: Duration::from_secs(9) };
    let together = async |value: &'static str| {
        let wanted = values.iter().map(|(key, tags)| Wanted {
            read: CacheRead { key, tags, if_none_match: "" },
            policy: &policy,
            fetch: move |_: Previous| async move { Ok(Fetched::json(value)) },
        });
        let found = cache.get_many(wanted.collect(), limits).await;
        found.into_iter().map(Result::unwrap).collect::<Vec<Answer>>()
    };
    let scripts = async || {
        let mut calls = 0;
        for master in stage.cluster.masters().await {
            calls += master.calls("eval").await;
        }
        calls
    };
    local(async {
        assert!(together("1").await.iter().all(|it| it.how == How::Miss && it.stored));
        let before = scripts().await;
        for _ in 0..4 {
            let found = together("2").await;
            assert!(found.iter().all(|it| it.how == How::Hit && text(it) == "1"), "{found:?}");
        }
        let masters = stage.cluster.masters().await.len() as u64;
        assert_eq!(scripts().await - before, 4 * masters);
        cache.invalidate_tags(&["own3".to_owned(), "own4".to_owned()], Mode::Hard).await.unwrap();
        cache.invalidate_tags(&["own5".to_owned()], Mode::Soft).await.unwrap();
        for (at, answer) in together("3").await.iter().enumerate() {
            let expected = if at == 3 || at == 4 { "3" } else { "1" };
            assert_eq!(text(answer), expected, "{at}");
            assert_eq!(answer.ttl_ms <= 0, at == 5, "{at}: {answer:?}");
        }
        cache.invalidate_tags(&["shared".to_owned()], Mode::Hard).await.unwrap();
        assert!(together("4").await.iter().all(|it| text(it) == "4"));
        let slots = (0..4).map(|at| format!("page{at}")).chain([keys::cache_tag("shared")]);
        let many = async {
            for _ in 0..60 {
                assert!(together("5").await.iter().all(|it| text(it) == "4"));
            }
        };
        stage.while_moving(slots.collect(), many).await;
        assert!(together("6").await.iter().all(|it| it.how == How::Hit && text(it) == "4"));
    })
    .await;
}

/// The tags are read before the rest: an invalidation in between shows in the next read.
#[tokio::test]
async fn an_invalidation_between_the_calls_of_one_read_is_not_lost() {
    let stage = Stage::set().await;
    let redis = &stage.redis;
    let own = ["page".to_owned(), keys::cache_companion("page"), keys::cache_lease("page")];
    let tag = [keys::cache_tag("a")];
    let version = async || {
        let args = [Arg::Text("word"), Arg::Int(600_000), Arg::Text("")];
        let reply = redis.eval(&script::CACHE_VERSIONS, &tag, &args).await.unwrap();
        reply[0].text().unwrap().to_owned()
    };
    let read = async |version: &str| {
        let lease = Arg::Text("token 1000 60000 60000 60000 180000 600000");
        let args = [Arg::Int(0), lease, Arg::Text(""), Arg::Text(""), Arg::Text(version)];
        let reply = redis.eval(&script::CACHE_READ, &own, &args).await.unwrap();
        reply[0].text().unwrap().split(' ').next().unwrap().to_owned()
    };
    let write = async |version: &str| {
        let texts = ["token", "value", "60000 180000 0 0 600000", "1", "etag", "", "", "", version];
        let args = texts.map(Arg::Text);
        let reply = redis.eval(&script::CACHE_WRITE, &own, &args).await.unwrap();
        reply[0].text().unwrap().to_owned()
    };
    for (mode, then) in [("hard", "miss-lead"), ("soft", "stale-lead")] {
        for key in &own {
            redis.command("DEL", &[Arg::Text(key)]).await.unwrap();
        }
        let old = version().await;
        assert_eq!(read(&old).await, "miss-lead");
        // The writer has read the tags, too.
        let args = [Arg::Text(mode), Arg::Text(mode), Arg::Int(600_000)];
        tokio::time::sleep(Duration::from_millis(2)).await;
        redis.eval(&script::CACHE_TAGS, &tag, &args).await.unwrap();
        assert_eq!(write(&old).await, "stored");
        let new = version().await;
        assert_ne!(old, new);
        let first = read(&new).await;
        assert!(first == then || first == "miss-lead", "{mode}: {first}");
        // Whoever reads them after that stores nothing older.
        assert_eq!(write(&old).await, "invalidated", "{mode}");
    }
}

#[tokio::test]
async fn a_key_with_braces_is_refused() {
    let stage = Stage::set().await;
    let store = Rc::new(ClusterRedis::connect(&stage.cluster).await);
    let cache = Cache::new(store, TokioHost::new(1));
    local(async {
        // Served from the source, each time.
        for value in ["1", "2"] {
            let answer = read(&cache, "page:{7}", value).await;
            assert_eq!((answer.how, answer.content), (How::Bypass, Content::json(value)));
        }
        let policy = Policy::new("test");
        let wanted = ["page:{7}", "page"].map(|key| Wanted {
            read: CacheRead { key, tags: &[], if_none_match: "" },
            policy: &policy,
            fetch: |_: Previous| async { Ok(Fetched::json("3")) },
        });
        let limits = Limits { bytes_max: 1 << 20, wait: Duration::from_secs(9) };
        let found = cache.get_many(wanted.into(), limits).await;
        let found: Vec<How> = found.into_iter().map(|it| it.unwrap().how).collect();
        assert_eq!(found, [How::Bypass, How::Miss]);
        let entry = CacheRead { key: "page:{7}", tags: &[], if_none_match: "" };
        let refused = cache.invalidate(entry, &Policy::new("test"), Mode::Hard).await;
        let Err(RedisError::Refused(problem)) = refused else { panic!("{refused:?}") };
        assert!(problem.contains("braces"), "{problem}");
    })
    .await;
}
