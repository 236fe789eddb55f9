//! `allocations`: what one request allocates in its component. Counts do not depend on the machine. The components are
//! built once more, with an allocator that counts (`scripts/build counted`).

use anyhow::{Context as _, Result};
use serde_json::json;
use support::http::Call;
use support::table::{Cell, Table};
use support::{Functions, RedisServer, paths, token};

/// The table shows the median of so many, one at a time.
const REQUESTS: usize = 21;
/// Before them: the first ones of an instance read its configuration.
const WARM_UP: usize = 5;

pub async fn run() -> Result<Vec<Table>> {
    let redis = RedisServer::start().await;
    let functions = counted(&redis)?.start().await;
    let blogs = "CREATE TABLE demo_blogs(id INTEGER PRIMARY KEY, title TEXT, author TEXT);
        INSERT INTO demo_blogs(title, author) VALUES ('One', 'a'), ('Two', 'b'), ('Three', 'c')";
    functions.record.open().execute_batch(blogs)?;
    let http = functions.plain();
    let service = token("a service", "notifications:write queues:write cache:read");
    let alice = token("alice", "");
    let create = json!({
        "userId": "alice",
        "title": "Order 1234 has been shipped",
        "body": "It is on its way.",
        "kind": "order.shipped",
        "data": {"orderId": 101_234, "carrier": "post"},
    });
    let batch = |users: usize| {
        let of = |number: usize| {
            let mut item = create.clone();
            item["userId"] = format!("user{number}").into();
            item
        };
        json!({"notifications": (0..users).map(of).collect::<Vec<_>>()}).to_string()
    };
    let create = create.to_string();
    let (one, hundred) = (batch(1), batch(100));
    let message = json!({"messages": [{"order": 17}]}).to_string();
    let values = json!({"paths": ["all_blogs"]}).to_string();
    let mut table = Table::new("allocations: of one request", &["", "allocations", "bytes"]);
    let feed = "/users/alice/notifications";
    for (name, method, target, body, token) in [
        ("create", "POST", "/notifications", create.as_str(), &service),
        ("batch of 1", "POST", "/notifications/batch", &one, &service),
        ("batch of 100 users", "POST", "/notifications/batch", &hundred, &service),
        ("feed, 20 entries", "GET", feed, "", &alice),
        ("feed, unread only", "GET", "/users/alice/notifications?unread=true", "", &alice),
        ("cached value", "GET", "/cache/all_blogs", "", &service),
        ("cached value, in a page", "POST", "/cache/read", &values, &service),
        ("queue, send", "POST", "/queues/work/messages", &message, &service),
        ("queue, receive", "POST", "/queues/work/receive", "", &service),
        ("liveness", "GET", "/healthz", "", &service),
    ] {
        let request = || http.call(method, target).token(token).body(body.to_owned());
        let (allocations, bytes) = median(request).await.context(name)?;
        let numbers = [allocations, bytes].map(|number| Cell::Number(number as f64, 0));
        table.rows.push([Cell::Text(name.to_owned())].into_iter().chain(numbers).collect());
    }
    table.note(
        "Inside the component: from the request's head to the answer's, with what the host writes into the \
         component's memory. Medians of 21 requests, one at a time.",
    );
    Ok(vec![table])
}

/// The functions, with components that count.
fn counted(redis: &RedisServer) -> Result<support::Setup> {
    let setup = Functions::with(redis);
    let dir = setup.dir().join("counted");
    std::fs::create_dir_all(&dir)?;
    let built = paths::workspace().join("target/counted");
    anyhow::ensure!(built.is_dir(), "{} is missing: run `scripts/build counted`", built.display());
    let manifest = std::fs::read_to_string(paths::manifest())?
        .replace("source = \"target/", &format!("source = \"{}/", built.display()))
        .replace("\"functions/cache/resources.toml\"", "\"resources.toml\"");
    std::fs::copy(
        paths::workspace().join("functions/cache/resources.toml"),
        dir.join("resources.toml"),
    )?;
    let path = dir.join("spin.toml");
    std::fs::write(&path, manifest)?;
    Ok(setup.manifest(path))
}

/// The median of allocations, and of bytes.
async fn median<'a>(request: impl Fn() -> Call<'a>) -> Result<(u64, u64)> {
    let (mut allocations, mut bytes) = (Vec::new(), Vec::new());
    for turn in 0..WARM_UP + REQUESTS {
        let answer = request().send().await;
        anyhow::ensure!(answer.status < 300, "{}: {}", answer.status, answer.json());
        let counts = answer.headers.get("x-allocations").context("the component does not count")?;
        let (count, size) = counts.to_str()?.split_once(' ').context("two counts")?;
        if turn >= WARM_UP {
            allocations.push(count.parse()?);
            bytes.push(size.parse()?);
        }
    }
    allocations.sort_unstable();
    bytes.sort_unstable();
    let middle = |all: &[u64]| all.get(REQUESTS / 2).copied().unwrap_or(0);
    Ok((middle(&allocations), middle(&bytes)))
}
