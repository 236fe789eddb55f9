use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Functions, Hub, Postgres, RedisCluster, RedisServer, eventually_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::world::{Done, LIMIT, World, bare, finish};

/// The verdicts by check.
fn verdicts(done: &Done) -> BTreeMap<String, (String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = done.json().into_iter();
    lines
        .map(|line| (text(&line, "check"), (text(&line, "verdict"), text(&line, "detail"))))
        .collect()
}

fn verdict<'a>(all: &'a BTreeMap<String, (String, String)>, check: &str) -> &'a str {
    &all.get(check).unwrap_or_else(|| panic!("no {check} in {all:#?}")).0
}

/// The checks with this verdict, in alphabetical order.
fn with<'a>(all: &'a BTreeMap<String, (String, String)>, verdict: &str) -> Vec<&'a str> {
    let of_it = all.iter().filter(|(_, (found, _))| found == verdict);
    of_it.map(|(check, _)| check.as_str()).collect()
}

async fn look(world: &World, arguments: &[&str]) -> Done {
    world.run_with_key(&[&["doctor", "--json"], arguments].concat()).await
}

#[tokio::test]
async fn what_works_is_well() {
    let world = World::start().await;
    let redis = world.redis.url();
    let done = look(&world, &["--redis-url", &redis]).await.expect(0);
    let all = verdicts(&done);
    for check in [
        "functions",
        "functions ready",
        "clock of the functions",
        "contract",
        "hub",
        "hub ready",
        "clock of the hub",
        "token",
        "key",
        "Redis' memory",
        "relay",
        "Redis",
        "Redis maxmemory-policy",
        "Redis client-output-buffer-limit",
        "Redis maxclients",
    ] {
        assert_eq!(verdict(&all, check), "ok", "{check}: {all:#?}");
    }
    assert_eq!(verdict(&all, "Postgres"), "skipped");
    let done = world.run(&["doctor"]).await.expect(0).saying(&["for 10 s at most"]);
    assert!(done.stdout.contains("Nothing is wrong"), "{done:?}");
}

#[tokio::test]
async fn keys_that_differ_are_found() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::with(&redis.url()).key("another key, and as long as it has to be").start().await;
    hub.ready().await;
    let world = World::of(redis, functions, hub);
    let done = look(&world, &[]).await.expect(1);
    let all = verdicts(&done);
    for check in ["token", "key"] {
        let (verdict, detail) = &all[check];
        assert_eq!(verdict, "wrong", "{all:#?}");
        assert!(detail.contains("the functions accept it, the hub does not"), "{detail}");
    }
}

#[tokio::test]
async fn what_does_not_answer_is_named() {
    let world = World::start().await;
    world.functions.kill();
    let done = look(&world, &[]).await.expect(1);
    let all = verdicts(&done);
    assert_eq!(verdict(&all, "functions"), "wrong");
    assert_eq!((verdict(&all, "hub"), verdict(&all, "key")), ("ok", "ok"));
    world.functions.restart().await;
    world.hub.kill();
    let done = look(&world, &["--redis-url", "redis://127.0.0.1:1"]).await.expect(1);
    let all = verdicts(&done);
    assert_eq!((verdict(&all, "functions"), verdict(&all, "hub")), ("ok", "wrong"));
    assert_eq!(verdict(&all, "Redis"), "wrong");
    world.hub.restart().await;
    world.hub.ready().await;
}

#[tokio::test]
async fn a_redis_that_drops_keys_or_is_away_is_found() {
    let world = World::start().await;
    for setting in [
        ["maxmemory-policy", "allkeys-lru"],
        ["client-output-buffer-limit", "pubsub 1048576 524288 10"],
        ["maxclients", "400"],
    ] {
        world.redis.command(&["CONFIG", "SET", setting[0], setting[1]]).await;
    }
    let redis = world.redis.url();
    let all = verdicts(&look(&world, &["--redis-url", &redis]).await.expect(0));
    for check in ["Redis maxmemory-policy", "Redis client-output-buffer-limit", "Redis maxclients"]
    {
        assert_eq!(verdict(&all, check), "warning", "{all:#?}");
    }
    world.redis.kill();
    let all = verdicts(&look(&world, &["--timeout", "3"]).await.expect(1));
    assert_eq!(verdict(&all, "functions ready"), "wrong", "{all:#?}");
    // The record answers, and the keys are not Redis' business.
    assert_eq!((verdict(&all, "functions"), verdict(&all, "key")), ("ok", "ok"), "{all:#?}");
}

#[tokio::test]
async fn a_redis_that_hangs_is_one_failure_and_found_in_time() {
    let world = World::start().await;
    let redis = world.redis.url();
    world.redis.pause();
    eventually_within(LIMIT, "the hub notices it", async || {
        (world.hub.http.get("/readyz").send().await.status == 503).then_some(())
    })
    .await;
    let begun = Instant::now();
    let done = look(&world, &["--redis-url", &redis]).await;
    let took = begun.elapsed();
    world.redis.resume();
    let done = done.expect(1);
    // `--timeout`, and what a busy machine needs to start the command.
    assert!(took < Duration::from_secs(15), "{took:?}");
    let all = verdicts(&done);
    assert_eq!(with(&all, "wrong"), ["Redis", "functions ready", "hub ready"], "{all:#?}");
    for check in ["Redis", "hub ready"] {
        assert!(all[check].1.ends_with("; probably the same cause as above"), "{all:#?}");
    }
    let memory = ("skipped".to_owned(), "not checked: Redis does not answer".to_owned());
    assert_eq!(all["Redis' memory"], memory);
    assert_eq!((verdict(&all, "token"), verdict(&all, "key")), ("ok", "ok"), "{all:#?}");
    assert!(done.stdout.contains("redis-cli ping"), "{done:?}");
    assert!(!done.stdout.contains("bellwire doctor"), "{done:?}");
}

#[tokio::test]
async fn every_master_of_a_cluster_is_looked_at() {
    let world = World::start().await;
    let cluster = RedisCluster::start().await;
    let all = verdicts(&look(&world, &["--redis-url", &cluster.url()]).await);
    let masters = all.keys().filter(|check| check.ends_with(" maxmemory-policy")).count();
    assert_eq!(masters, 3, "{all:#?}");
}

#[tokio::test]
async fn every_dead_master_of_a_cluster_is_a_failure_of_its_own() {
    let world = World::start().await;
    let cluster = RedisCluster::start().await;
    // Two of three masters: nobody can elect their replicas.
    let dead = [&cluster.nodes[1], &cluster.nodes[2]];
    dead.iter().for_each(|master| master.kill());
    let all = verdicts(&look(&world, &["--redis-url", &cluster.url()]).await.expect(1));
    let mut expected = dead.map(|master| format!("Redis {}", master.address()));
    expected.sort();
    assert_eq!(with(&all, "wrong"), expected, "{all:#?}");
    let masters = all.keys().filter(|check| check.ends_with(" maxmemory-policy")).count();
    assert_eq!(masters, 1, "{all:#?}");
}

#[tokio::test]
async fn a_slow_redis_has_the_time_of_the_command() {
    let world = World::start().await;
    let slow = RedisServer::start().await;
    // Longer than the timeouts that redis-rs has by itself.
    slow.command(&["CLIENT", "PAUSE", "3000", "ALL"]).await;
    let all = verdicts(&look(&world, &["--redis-url", &slow.url(), "--timeout", "30"]).await);
    assert_ne!(verdict(&all, "Redis"), "wrong", "{all:#?}");
}

/// Any web server: it answers everything with 200 and a page. Returns its address.
async fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
                    content-length: 13\r\n\r\n<html></html>";
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(page.as_bytes()).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn another_web_server_is_not_taken_for_bellwire() {
    let address = web_server().await;
    let (url, redis) = (format!("http://{address}"), format!("redis://{address}"));
    let places = ["--url", &url, "--hub-url", &url, "--redis-url", &redis];
    let done = finish(bare(&[&["doctor", "--json"], &places[..]].concat())).await.expect(1);
    let all = verdicts(&done);
    assert_eq!(with(&all, "wrong"), ["Redis", "functions", "hub"], "{all:#?}");
    assert_eq!(all["hub"].1, format!("{url} is not Bellwire's hub"));
    assert_eq!(all["functions"].1, format!("{url} is not the address of Bellwire's functions"));
    assert!(all["Redis"].1.contains("it does not speak Redis's protocol"), "{all:#?}");
    for fix in ["correct --hub-url or BELLWIRE_HUB_URL", "correct --url or BELLWIRE_URL"] {
        assert!(done.stdout.contains(fix), "{done:?}");
    }
}

#[tokio::test]
async fn swapped_and_equal_urls_are_one_failure() {
    let world = World::start().await;
    let (functions, hub) = (world.functions.url(), format!("http://{}", world.hub.address));
    for (url, hub_url, wrong) in [(&hub, &functions, "contract"), (&functions, &functions, "token")]
    {
        let done = look(&world, &["--url", url, "--hub-url", hub_url]).await.expect(1);
        let all = verdicts(&done);
        assert_eq!(with(&all, "wrong"), [wrong], "{all:#?}");
        assert!(done.stdout.contains("Compare --url and --hub-url"), "{done:?}");
    }
}

#[tokio::test]
async fn the_time_begins_when_the_token_is_read() {
    let world = World::start().await;
    let mut command = world.command(&["doctor", "--token-file", "-", "--timeout", "4"]);
    command.env_remove("BELLWIRE_TOKEN_FILE").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Later than the checks would have to end if their time had begun.
    tokio::time::sleep(Duration::from_secs(6)).await;
    std::io::Write::write_all(&mut stdin, world.token.as_bytes()).unwrap();
    drop(stdin);
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("functions and hub accept it (standard input)"), "{stdout}");
}

#[tokio::test]
async fn postgres_is_looked_at_and_its_password_stays_secret() {
    let world = World::start().await;
    let postgres = Postgres::start().await;
    let mut command = world.command(&["doctor", "--json"]);
    command.env("BELLWIRE_POSTGRES_URL", postgres.url());
    let all = verdicts(&world.finish(command).await);
    assert_eq!(verdict(&all, "Postgres"), "ok", "{all:#?}");
    // One host may open 384, and the default is 100.
    assert_eq!(verdict(&all, "Postgres connections"), "warning", "{all:#?}");
    assert_eq!(verdict(&all, "Postgres tables"), "warning", "{all:#?}");
    postgres.run(include_str!("../../../functions/runtime/sql/postgres/001_init.sql"));
    let mut command = world.command(&["doctor", "--json"]);
    command.env("BELLWIRE_POSTGRES_URL", postgres.url());
    let all = verdicts(&world.finish(command).await);
    assert_eq!(all.get("Postgres tables"), None, "{all:#?}");

    for (flag, variable, url) in [
        ("--postgres-url", "BELLWIRE_POSTGRES_URL", "postgres://u:hunter2@127.0.0.1:1/db"),
        ("--redis-url", "BELLWIRE_REDIS_URL", "redis://u:hunter2@127.0.0.1:1"),
    ] {
        let done = look(&world, &[flag, url]).await.expect(2).saying(&[variable]);
        assert!(!done.all().contains("hunter2"));
        let mut command = world.command(&["doctor"]);
        command.env(variable, url);
        let done = world.finish(command).await.expect(1);
        assert!(!done.all().contains("hunter2"), "{done:?}");
    }
}

#[tokio::test]
async fn an_expired_token_and_a_missing_one_are_named() {
    let world = World::start().await;
    let expired = support::Jwt::of("alice").expires_in(-7200).sign(support::jwt::KEY);
    world.write("token", &expired);
    let all = verdicts(&look(&world, &[]).await.expect(1));
    assert!(all["token"].1.contains("expired 720"), "{all:#?}");
    world.write("token", "nonsense");
    let all = verdicts(&look(&world, &[]).await.expect(1));
    assert!(all["token"].1.contains("not a JWT"), "{all:#?}");
    assert_eq!(all["relay"].1, "not checked: the token is rejected");
    let mut command = world.command(&["doctor", "--json"]);
    command.env_remove("BELLWIRE_TOKEN_FILE");
    let all = verdicts(&world.finish(command).await.expect(0));
    assert_eq!((verdict(&all, "token"), verdict(&all, "key")), ("warning", "skipped"));
}
