//! The drill of docs/operations.md, "Backup and restore": an older dump is put back while services
//! create and clients listen.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::paths::workspace;
use support::{Functions, Hub, Postgres, RedisServer, Socket, eventually, token};
use tokio::task::JoinHandle;

use super::failover::stream::{self, Stream};
use crate::faults::load::until_nothing_is_pending;

/// The title after which a client hears no more.
const END: &str = "end";
/// A client waits this long for its next frame: the restore, and what comes late after it.
const FRAME_LIMIT: Duration = Duration::from_secs(60);

/// Collects frames until the notification [`END`].
fn listen(mut socket: Socket) -> JoinHandle<Vec<Value>> {
    tokio::spawn(async move {
        let mut frames: Vec<Value> = Vec::new();
        while frames.last().is_none_or(|frame| frame["notification"]["title"] != END) {
            let text = socket.text_within(FRAME_LIMIT).await;
            frames.push(serde_json::from_str(&text).unwrap());
        }
        frames
    })
}

/// The epoch is rotated as soon as the functions take the call.
async fn rotate(functions: &Functions) -> String {
    let rotated = eventually("the epoch is rotated", async || {
        let call = functions.post("/admin/migrate", r#"{"rotateEpoch":true}"#);
        let answer = call.token(&token("an operator", "ops:write")).send().await;
        (answer.status == 200).then(|| answer.json())
    });
    rotated.await["epoch"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dump_that_is_restored_under_load_tells_nobody_twice_and_everybody_of_a_gap() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    postgres.run_file(&workspace().join("deploy/postgres-roles.sql")).unwrap();
    let setup = Functions::with(&redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url_for("bellwire"))
        .variable("postgres_host", postgres.address());
    let functions = setup.start().await;
    let hub = Hub::start_with_relay(&redis, &functions).await;
    let mut clients = Vec::new();
    for user in stream::USERS {
        clients.push((user, listen(hub.connect(user).await)));
    }
    let epoch = "SELECT epoch FROM bellwire.record";
    let before = postgres.run(epoch);

    let stream = Stream::new(&functions);
    let ((), answered) = tokio::join!(stream.run(), async {
        stream.until_answered(40).await;
        let dump = postgres.dump("bellwire_backup", "bellwire");
        // These are lost, and the clients have seen them.
        stream.until_answered(stream.answered() + 60).await;

        postgres.run("ALTER ROLE bellwire NOLOGIN");
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bellwire'",
        );
        stream.until_refused(stream.refused() + 3).await;
        postgres.run("DROP SCHEMA bellwire CASCADE");
        postgres.restore(&dump);
        assert_eq!(postgres.run(epoch), before, "the dump has the old epoch");
        postgres.run("ALTER ROLE bellwire LOGIN");
        assert_ne!(rotate(&functions).await, before);

        // Those that were under way during the rotation may have either epoch.
        let rotated = stream.answered();
        stream.until_answered(rotated + 30).await;
        let answered = stream.answered();
        stream.until_answered(answered + 60).await;
        stream.end();
        answered
    });
    until_nothing_is_pending(&functions).await;
    for user in stream::USERS {
        functions.notify(user, END).await;
    }

    let created = stream.answered_after(answered);
    for (user, client) in clients {
        let frames = client.await.unwrap();
        let gaps = frames.iter().filter(|frame| frame["type"] == "gap").count();
        assert!(gaps >= 1, "{user}: {frames:#?}");
        assert!(
            frames.iter().filter(|it| it["type"] == "gap").all(|it| it["reason"] == "epoch"),
            "{user}"
        );
        let told: Vec<&str> =
            frames.iter().filter_map(|frame| frame["notification"]["id"].as_str()).collect();
        let once: BTreeSet<&str> = told.iter().copied().collect();
        assert_eq!(once.len(), told.len(), "{user} was told something twice");
        for entry in created.iter().filter(|entry| entry["userId"] == user) {
            let id = entry["id"].as_str().unwrap();
            assert!(once.contains(id), "{user} was not told {entry}");
        }
        // The feed is what the record has: the dump, and what came after it.
        let rows = format!(
            "SELECT id FROM bellwire.notifications WHERE user_id = '{user}' ORDER BY seq DESC LIMIT 100"
        );
        let recorded = postgres.run(&rows);
        let feed = functions.feed(user).await.expect(200).json();
        let feed: Vec<&str> = feed["notifications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap())
            .collect();
        assert_eq!(feed, recorded.lines().collect::<Vec<_>>(), "{user}");
        let seqs = postgres.run(&format!(
            "SELECT max(seq), count(*) FROM bellwire.notifications WHERE user_id = '{user}'"
        ));
        let (newest, count) = seqs.split_once('|').unwrap();
        assert_eq!(newest, count, "{user}: the numbers have a hole");
    }
    let pushed = functions.create(&json!({"userId": "u0", "title": "after"})).await;
    assert_eq!(pushed.expect(201).json()["delivery"], "sent");
}
