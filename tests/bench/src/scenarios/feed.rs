//! `feed`: a warm page, compared with the least Redis work of a component on the same host.

use anyhow::Result;
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use support::{Functions, RedisServer, paths, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{CONNECTIONS, Load};
use crate::measure::{COLUMNS, HELD, Pids, Series, Subject, in_turns, verdict};
use crate::scenarios::{address, ratios};
use support::table::Table;

/// Entries of a full feed: more than a page, so that there is a next page.
const ENTRIES: usize = 25;
const SMALL_ENTRIES: usize = 3;
/// Readers per connection for new tokens at every instance: 32 × 8 readers in turns, and an
/// instance serves 128 requests.
const READERS_PER_CONNECTION: usize = 8;
/// The key that the fixture's `/redis-get` reads.
const FLOOR_KEY: &str = "bench";
const SMALL_VALUE: &str = "a small value";
/// Longer than a run; the harness requires an expiry on every key.
const FLOOR_KEY_S: u64 = 24 * 3600;
/// The goal.
const GOAL: f64 = 0.7;

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let fixture = paths::workspace().join("tests/host/fixture/spin.toml");
    let setup = Functions::with(&redis).manifest(fixture).variable("secret", "none");
    let floor = setup.start().await;
    let mut control = redis.connection().await;

    let readers: Vec<String> =
        (0..CONNECTIONS * READERS_PER_CONNECTION).map(|n| format!("reader-{n:03}")).collect();
    let casual: Vec<String> = (0..CONNECTIONS).map(|n| format!("casual-{n:03}")).collect();
    fill(&functions, &readers, ENTRIES).await;
    fill(&functions, &casual, SMALL_ENTRIES).await;
    let page_bytes = page_bytes(&functions, &readers[0]).await;
    let small_bytes = page_bytes_of(&functions, &casual[0], SMALL_ENTRIES).await;
    let element: String = control.lindex(format!("notifications:{}", readers[0]), 0).await?;

    let floor_pids = Pids { server: floor.pid(), redis: redis.pid(), database: None };
    let pids = Pids { server: functions.pid(), ..floor_pids };
    let (address, floor_address) = (address(&functions)?, address(&floor)?);
    let plain =
        |target: &str| Load::new(floor_address, 1, 200, |_, _| request("GET", target, "", ""));
    let pages = |users: &[String], turns: usize| {
        Load::new(address, turns, 200, |connection, turn| {
            let user = &users[connection * turns + turn];
            let target = format!("/users/{user}/notifications");
            request("GET", &target, &token(user, ""), "")
        })
    };
    let subject = |name: &str, load, pids| Subject { name: name.to_owned(), load, pids };
    let subjects = [
        subject("floor: ok", plain("/ok"), floor_pids),
        subject("floor: Redis GET, small", plain("/redis-get"), floor_pids),
        subject("floor: Redis GET, page's size", plain("/redis-get"), floor_pids),
        subject("feed, page of 20", pages(&readers[..CONNECTIONS], 1), pids),
        subject("feed, page of 20, new tokens", pages(&readers, READERS_PER_CONNECTION), pids),
        subject("feed, page of 3", pages(&casual, 1), pids),
    ];
    let values = [SMALL_VALUE.to_owned(), "x".repeat(page_bytes)];
    let series = in_turns(args, &subjects, async |at| {
        let value = &values[usize::from(at == 2)];
        Ok(redis.connection().await.set_ex(FLOOR_KEY, value, FLOOR_KEY_S).await?)
    })
    .await?;

    let [ok, small, large, page, fresh, casual] = &series[..] else {
        anyhow::bail!("a series is missing");
    };
    Ok(vec![table(
        args,
        &[
            (ok, None),
            (small, None),
            (large, None),
            (page, Some(large)),
            (fresh, Some(large)),
            (casual, Some(small)),
        ],
        &format!(
            "A page of 20 has {page_bytes} bytes (an entry in the list {}), a page of 3 {small_bytes}.",
            element.len()
        ),
    )])
}

fn table(args: &Args, rows: &[(&Series, Option<&Series>)], sizes: &str) -> Table {
    let mut table = Table::new("feed: warm GET /users/{u}/notifications", COLUMNS);
    table.rows = rows.iter().map(|(series, floor)| series.cells(*floor)).collect();
    table.note(sizes);
    table.note(HELD);
    let mut bars = Vec::new();
    for (series, floor) in rows {
        if let Some(floor) = floor {
            let what = format!("{} / {}", series.name, floor.name);
            table.note(verdict(&what, series.speed_beside(floor), GOAL));
            bars.push(series.speed_bar(&series.name, floor, Some(GOAL)));
        }
    }
    let floor = "a component that does one Redis GET of as many bytes on the same host";
    table.charts.push(ratios(args, "feed", "Warm feed pages per second", floor, bars));
    table
}

/// Creates `entries` notifications of about 250 bytes for every user.
pub(super) async fn fill(functions: &Functions, users: &[String], entries: usize) {
    let token = token("a service", "notifications:write");
    let drafts: Vec<Value> =
        users.iter().flat_map(|user| (0..entries).map(move |n| draft(user, n))).collect();
    for batch in drafts.chunks(shared::limits::BATCH_NOTIFICATIONS_MAX) {
        let body = json!({"notifications": batch}).to_string();
        let answer = functions.post("/notifications/batch", body).token(&token).send().await;
        let results = answer.expect(200).json();
        let results = results["results"].as_array().map_or(&[][..], Vec::as_slice);
        let is_sent = |result: &Value| result["notification"]["delivery"] == "sent";
        assert!(results.len() == batch.len() && results.iter().all(is_sent), "{results:?}");
    }
}

fn draft(user: &str, n: usize) -> Value {
    json!({
        "userId": user,
        "title": format!("Order {n:04} has been shipped"),
        "body": "It is on its way.",
        "kind": "order.shipped",
        "data": {"orderId": 100_000 + n, "carrier": "post"},
    })
}

async fn page_bytes(functions: &Functions, user: &str) -> usize {
    page_bytes_of(functions, user, shared::limits::FEED_PAGE_DEFAULT).await
}

/// Bytes of a page, which must have this number of entries.
async fn page_bytes_of(functions: &Functions, user: &str, entries: usize) -> usize {
    let target = format!("/users/{user}/notifications");
    let page = functions.get(&target).token(&token(user, "")).send().await.expect(200);
    let shown = page.json()["notifications"].as_array().map(Vec::len);
    assert_eq!(shown, Some(entries), "{}", page.text());
    page.body.len()
}
