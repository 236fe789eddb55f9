//! The steps of docs/migrate.md, walked with an existing service in Node: what each changes, and what
//! is left when it is taken back.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::functions::titles;
use support::wait::within;
use support::{Answer, Functions, Gateway, Hub, RedisServer, eventually, paths, token};
use tokio::io::AsyncWriteExt as _;

const IMPORT_LIMIT: Duration = Duration::from_secs(60);

struct World {
    _redis: RedisServer,
    functions: Functions,
    hub: Hub,
    /// The existing service.
    service: Gateway,
}

impl World {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let functions = Functions::start(&redis).await;
        let hub = Hub::start(&redis).await;
        let service = Gateway::start(&redis).await;
        Self { _redis: redis, functions, hub, service }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let scopes = "feed:read notifications:write ops:write tokens:read tokens:write";
        let call = self.functions.call(method, path).token(&token("a service", scopes));
        match body {
            Value::Null => call.send().await,
            body => call.body(body.to_string()).send().await,
        }
    }

    async fn page(&self, user: &str, query: &str) -> Value {
        let path = format!("/users/{user}/notifications?{query}");
        self.call("GET", &path, Value::Null).await.expect(200).json()
    }

    /// All titles, newest first, page by page.
    async fn all(&self, user: &str) -> Vec<String> {
        let (mut all, mut query) = (Vec::new(), "limit=60".to_owned());
        loop {
            let page = self.page(user, &query).await;
            all.extend(titles(&page));
            assert!(all.len() < 1000, "pages without end");
            match page["next"].as_str() {
                Some(next) => query = format!("limit=60&before={next}"),
                None => return all,
            }
        }
    }

    /// Runs the command of the document on rows; returns its exit code and what it wrote.
    async fn import(&self, rows: &[Value]) -> (i32, String) {
        let scopes = "notifications:import notifications:write feed:read";
        let mut command = tokio::process::Command::new(paths::program("bellwire"));
        command.args(["import", "-", "--replace"]).env_clear();
        command.env("BELLWIRE_URL", self.functions.url());
        command.env("BELLWIRE_TOKEN", token("a migration", scopes));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut import = command.kill_on_drop(true).spawn().unwrap();
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let mut stdin = import.stdin.take().unwrap();
        stdin.write_all(lines.as_bytes()).await.unwrap();
        drop(stdin);
        let output = import.wait_with_output();
        let output = within(IMPORT_LIMIT, "the import ends", output).await.unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8(told).unwrap())
    }
}

/// A row of the service's table, whose users are numbers. Every third one was read.
fn row(user: i64, number: usize) -> Value {
    let created = format!(
        "2026-09-{:02}T{:02}:{:02}:00+00:00",
        1 + number / 1440,
        number / 60 % 24,
        number % 60
    );
    let read = number.is_multiple_of(3).then(|| "2026-10-01T08:00:00.5+00:00".to_owned());
    json!({
        "id": number, "userId": user, "title": format!("old {number}"),
        "createdAt": created, "readAt": read, "data": {"link": number},
    })
}

/// What the service sends of a row.
fn sent(row: &Value) -> Value {
    json!({"id": row["id"], "userId": row["userId"], "title": row["title"]})
}

fn old(numbers: impl DoubleEndedIterator<Item = usize>) -> Vec<String> {
    numbers.rev().map(|number| format!("old {number}")).collect()
}

#[tokio::test]
async fn feeds_sockets_history_and_producers_move_one_after_the_other() {
    let mut world = World::start().await;
    // What the service did before: a table, lists of the newest hundred, and its gateway.
    let rows: Vec<Value> = (0..130).map(|number| row(7, number)).collect();
    for row in &rows {
        world.service.call(json!(["notify", sent(row)])).await;
    }
    world.service.call(json!(["open", "7"])).await;

    // 2: the page has the elements of the list, in its order.
    let list = world.service.call(json!(["feed", "7"])).await;
    let page = world.page("7", "limit=100").await;
    assert_eq!((&page["notifications"], &page["unread"]), (&list, &json!(0)));

    // 3: clients of the hub hear what the service sends, and those of the gateway, too.
    let mut raw = world.hub.connect_raw("7").await;
    let mut v1 = world.hub.connect("7").await;
    let late = row(7, 130);
    world.service.call(json!(["notify", sent(&late)])).await;
    assert_eq!(serde_json::from_str::<Value>(&raw.text().await).unwrap(), sent(&late));
    assert_eq!(v1.titles(1).await, ["old 130"]);

    // 4: the history takes the place of the copies, with marks and older rows, unheard.
    let (code, told) = world.import(&rows).await;
    assert_eq!((code, told.trim()), (0, "130 of - are in the record, in place of 99 copies"));
    assert_eq!(world.all("7").await, old(0..131));
    let newest = world.page("7", "limit=3").await;
    // The newest hundred: a copy that the table did not have yet, and 99 rows.
    let unread = (31..130).filter(|number| number % 3 != 0).count();
    assert_eq!(newest["unread"], unread);
    let entry = &newest["notifications"][1];
    assert_eq!((&entry["title"], &entry["imported"]), (&json!("old 129"), &json!(true)));
    assert_eq!(
        (&entry["userId"], &entry["readAt"]),
        (&json!("7"), &json!("2026-10-01T08:00:00.500Z"))
    );
    let (code, told) = world.import(&rows).await;
    assert_eq!(
        (code, told.trim()),
        (0, "130 of - are in the record, in place of 0 copies"),
        "a repeat"
    );
    assert_eq!(world.all("7").await, old(0..131));
    // The list is plain JSON as before, and the service reads it.
    let list = world.service.call(json!(["feed", "7"])).await;
    assert_eq!(list.as_array().unwrap().len(), 100);
    assert_eq!((&list[0], &list[1]["title"]), (&sent(&late), &json!("old 129")));
    // Clients heard of removals and of the number alone.
    let mut heard = json!(null);
    while heard["type"] != "read" {
        heard = v1.json().await;
        let is_quiet = heard["type"] == "removed" || heard["type"] == "read";
        assert!(is_quiet, "{heard}");
    }
    assert_eq!(heard["unread"], unread);

    // 5: a producer moves; the other one goes on.
    let created = world.functions.notify("7", "new 1").await;
    assert_eq!(created["delivery"], "sent");
    let theirs = json!({"id": 131, "userId": 7, "title": "theirs"});
    world.service.call(json!(["notify", theirs])).await;
    let (code, told) = world.import(&[rows.clone(), vec![late]].concat()).await;
    assert!(code == 0 && told.starts_with("131 of - "), "the rest, right after the move: {told}");
    let mut expected = vec!["theirs".to_owned(), "old 130".to_owned(), "new 1".to_owned()];
    expected.extend(old(0..130));
    assert_eq!(world.all("7").await, expected);
    let received = eventually("the gateway has them", async || {
        let received = world.service.call(json!(["received", "7"])).await;
        (received.as_array().unwrap().len() == 3).then_some(received)
    })
    .await;
    let received: Vec<&Value> =
        received.as_array().unwrap().iter().map(|one| &one["title"]).collect();
    assert_eq!(received, ["old 130", "new 1", "theirs"], "nothing of the history");
    assert!(raw.text().await.contains("new 1") && raw.text().await.contains("theirs"));

    // Back: the producer writes the list again, and everything stays in it.
    world.service.call(json!(["notify", {"id": 132, "userId": 7, "title": "back"}])).await;
    let list = world.service.call(json!(["feed", "7"])).await;
    let list: Vec<_> = list.as_array().unwrap().iter().map(|one| &one["title"]).collect();
    assert_eq!(list[..4], ["back", "theirs", "old 130", "new 1"]);
    let relayed = world.call("POST", "/admin/relay", Value::Null).await.expect(200).json();
    assert_eq!(relayed["pending"], 0);
}

#[tokio::test]
async fn rows_that_cannot_be_imported_are_named_and_the_others_come() {
    let world = World::start().await;
    let mut rows: Vec<Value> = (0..4).map(|number| row(8, number)).collect();
    // A time without a zone, as `timestamp` is printed, and an empty title.
    rows[1]["createdAt"] = "2026-09-01T00:01:00".into();
    rows[2]["title"] = "".into();
    let (code, told) = world.import(&rows).await;
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("-:2: ") && told.contains("createdAt"), "{told}");
    assert!(told.contains("-:3: ") && told.contains("title"), "{told}");
    assert!(told.starts_with("2 of - are in the record"), "{told}");
    assert_eq!(world.all("8").await, ["old 3", "old 0"]);
}

#[tokio::test]
async fn push_tokens_move_with_everything_that_deletes() {
    let mut world = World::start().await;
    let at = "/users/7/token";
    world.service.call(json!(["setToken", "7", "old"])).await;
    // Readers first: the token is answered as it is.
    let found = world.call("GET", at, Value::Null).await.expect(200).json();
    assert_eq!(found["token"], "old");
    // Not in the record: a delete of the service holds.
    world.service.call(json!(["removeToken", "7"])).await;
    world.call("GET", at, Value::Null).await.expect_problem(404, "not_found");

    // In the record: a delete of the service alone does not hold, one of Bellwire's does.
    world.service.call(json!(["setToken", "7", "old"])).await;
    let all = json!({"tokens": [{"userId": 7, "token": "old"}]});
    world.call("PUT", "/tokens", all).await.expect(200);
    world.service.call(json!(["removeToken", "7"])).await;
    let found = world.call("GET", at, Value::Null).await.expect(200).json();
    assert_eq!(found["token"], "old");
    assert_eq!(world.service.call(json!(["token", "7"])).await, "old");
    world.call("DELETE", at, Value::Null).await.expect(204);
    assert_eq!(world.service.call(json!(["token", "7"])).await, Value::Null);
    world.call("GET", at, Value::Null).await.expect_problem(404, "not_found");

    // Back: the service sets and reads the key again.
    world.service.call(json!(["setToken", "7", "new"])).await;
    let found = world.call("GET", at, Value::Null).await.expect(200).json();
    assert_eq!(found["token"], "new");
}
