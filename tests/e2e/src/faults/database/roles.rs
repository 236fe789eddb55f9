//! `deploy/postgres-roles.sql`: everything works with the rights that it grants, and each of them is
//! needed.

use serde_json::{Value, json};
use support::paths::workspace;
use support::{Answer, Functions, Postgres, RedisServer, token};

const EVERYTHING: &str = "notifications:write notifications:import feed:read ops:write ops:read tokens:read tokens:write \
                          push:send push:write";
/// Rights of the functions' role, as `table|right` in alphabetical order.
const RIGHTS: &str = "SELECT table_name, privilege_type FROM information_schema.table_privileges
    WHERE grantee = 'bellwire' ORDER BY 1, 2";

fn grant(postgres: &Postgres) {
    let file = workspace().join("deploy/postgres-roles.sql");
    postgres.run_file(&file).unwrap_or_else(|said| panic!("{said}"));
}

async fn stage() -> (RedisServer, Postgres, Functions) {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    grant(&postgres);
    let functions = functions(&redis, &postgres).await;
    (redis, postgres, functions)
}

async fn functions(redis: &RedisServer, postgres: &Postgres) -> Functions {
    let setup = Functions::with(redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url_for("bellwire"))
        .variable("postgres_host", postgres.address());
    setup.start().await
}

/// Calls, and notes those that fail.
struct Calls<'a> {
    functions: &'a Functions,
    failed: Vec<String>,
}

impl Calls<'_> {
    async fn with_key(&mut self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let mut call = self.functions.call(method, path).token(&token("svc", EVERYTHING));
        if !key.is_empty() {
            call = call.header("idempotency-key", key);
        }
        let call = if body.is_null() { call } else { call.body(body.to_string()) };
        let answer = call.send().await;
        if answer.status >= 500 {
            self.failed.push(format!("{} {}", answer.shown, answer.text()));
        }
        answer
    }

    async fn call(&mut self, method: &str, path: &str, body: Value) -> Answer {
        self.with_key("", method, path, body).await
    }
}

/// Everything that functions do with the record, for a user of its own; the calls that failed.
async fn use_everything(functions: &Functions, redis: &RedisServer, user: &str) -> Vec<String> {
    let mut calls = Calls { functions, failed: Vec::new() };
    let of = |path: &str| format!("/users/{user}{path}");
    let fcm = |name: &str| json!({"kind": "fcm", "token": format!("{name} of {user}")});
    calls.call("PUT", &of("/token"), json!({"token": format!("token of {user}")})).await;
    calls.call("PUT", &of("/devices/phone"), fcm("phone")).await;
    calls.call("PUT", &of("/devices/tv"), fcm("tv")).await;
    calls.call("PUT", &of("/preferences"), json!({"kinds": {"ad": {"feed": false}}})).await;
    calls.call("GET", &of("/preferences"), Value::Null).await;

    let pushed = json!({"userId": user, "title": "one", "push": {"when": "always"}});
    calls.with_key(&format!("k1 {user}"), "POST", "/notifications", pushed.clone()).await;
    calls.with_key(&format!("k1 {user}"), "POST", "/notifications", pushed.clone()).await;
    let entry = |at: usize| json!({"userId": user, "title": "many", "idempotencyKey": format!("{at} {user}")});
    let batch = json!({"notifications": [entry(1), entry(2), pushed.clone()]});
    calls.call("POST", "/notifications/batch", batch).await;
    let old = json!({"userId": user, "title": "old", "createdAt": "2026-01-02T03:04:05Z",
        "idempotencyKey": format!("old {user}")});
    for _ in 0..2 {
        calls.call("POST", "/notifications/import", json!({"notifications": [old]})).await;
    }
    let ad = json!({"userId": user, "title": "ad", "kind": "ad"});
    let ad = calls.call("POST", "/notifications", ad).await;
    if ad.status == 201 {
        let path = of(&format!("/notifications/{}", ad.json()["id"].as_str().unwrap()));
        calls.call("GET", &path, Value::Null).await;
        calls.call("POST", &of("/notifications/read"), json!({"ids": [ad.json()["id"]]})).await;
        calls.call("GET", &of("/notifications?before="), Value::Null).await;
        calls.call("DELETE", &path, Value::Null).await;
    }
    calls.call("POST", &of("/notifications/read"), json!({"upTo": 1})).await;

    // From the record, since Redis has nothing.
    redis.command(&["FLUSHALL"]).await;
    calls.call("GET", &of("/notifications?limit=2"), Value::Null).await;
    calls.call("GET", &of("/token"), Value::Null).await;
    calls.call("GET", &of("/devices"), Value::Null).await;
    calls.call("POST", "/tokens/read", json!({"userIds": [user, "nobody"]})).await;
    let tokens = json!({"tokens": [{"userId": user, "token": format!("other of {user}")}]});
    calls.call("PUT", "/tokens", tokens.clone()).await;

    let claim = json!({"max": 100, "leaseMs": 60_000});
    let claim = calls.call("POST", "/push/claim", claim).await;
    if claim.status == 200 {
        let jobs = claim.json()["jobs"].as_array().unwrap().clone();
        let settled = jobs.iter().enumerate().map(|(at, job)| {
            let result = if at == 0 { "later" } else { "done" };
            json!({"userId": job["userId"], "seq": job["seq"], "rev": job["rev"], "result": result})
        });
        let settled: Vec<Value> = settled.collect();
        calls.call("POST", "/push/settle", json!({"jobs": settled})).await;
    }
    calls.call("POST", "/tokens/prune", tokens).await;
    calls.call("DELETE", &of("/devices/tv"), Value::Null).await;
    calls.call("DELETE", &of("/token"), Value::Null).await;

    for path in ["/readyz", "/metrics"] {
        calls.call("GET", path, Value::Null).await;
    }
    calls.call("POST", "/admin/relay", Value::Null).await;
    calls.call("POST", "/admin/migrate", json!({"rotateEpoch": true})).await;
    calls.call("DELETE", &of(""), Value::Null).await;
    calls.with_key(&format!("k1 {user}"), "POST", "/notifications", pushed).await;
    calls.call("POST", "/admin/prune", Value::Null).await;
    calls.failed
}

#[tokio::test]
async fn the_functions_need_exactly_the_rights_of_their_role() {
    let (redis, postgres, functions) = stage().await;
    assert_eq!(use_everything(&functions, &redis, "alice").await, Vec::<String>::new());
    let rights = postgres.run(RIGHTS);
    assert!(rights.lines().count() > 25, "{rights}");
    for (at, right) in rights.lines().enumerate() {
        let (table, right) = right.split_once('|').unwrap();
        postgres.run(&format!("REVOKE {right} ON bellwire.{table} FROM bellwire"));
        let failed = use_everything(&functions, &redis, &format!("u{at}")).await;
        assert!(!failed.is_empty(), "nothing needs {right} on {table}");
        assert!(
            failed.iter().all(|it| it.contains("record_unavailable") || it.contains("\"record\"")),
            "{failed:?}"
        );
        postgres.run(&format!("GRANT {right} ON bellwire.{table} TO bellwire"));
    }
    assert_eq!(use_everything(&functions, &redis, "bob").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_functions_role_can_do_nothing_else() {
    let (redis, postgres, functions) = stage().await;
    postgres.run("CREATE TABLE public.orders (id INTEGER); INSERT INTO public.orders VALUES (1)");
    for statement in [
        "CREATE TABLE bellwire.mine (id INTEGER)",
        "DROP TABLE bellwire.feed",
        "TRUNCATE bellwire.feed",
        "ALTER TABLE bellwire.feed ADD COLUMN mine TEXT",
        "CREATE SCHEMA mine",
        "DELETE FROM bellwire.record",
        "CREATE FUNCTION bellwire.mine() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'",
        "SELECT * FROM public.orders",
        "SET ROLE bellwire_owner",
    ] {
        assert!(is_denied(&postgres, "bellwire", statement), "{statement}");
    }
    for statement in [
        "UPDATE bellwire.feed SET seq = 0",
        "SELECT bellwire.create_8('a', 'b', 'c', '', '', '', 1, 1, '', '', '', '')",
    ] {
        assert!(is_denied(&postgres, "bellwire_backup", statement), "{statement}");
    }
    assert!(is_denied(&postgres, "bellwire_owner", "SELECT 1"), "nobody is the owner");

    // Again, beside functions that serve, as before an upgrade.
    functions.notify("alice", "one").await;
    grant(&postgres);
    functions.notify("alice", "two").await;
    drop(redis);
}

/// Tables that functions made with a role that may do everything, in a database of before.
#[tokio::test]
async fn tables_of_an_installation_without_roles_are_taken_over() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let before = super::on(&postgres, &redis).start().await;
    before.notify("alice", "one").await;
    grant(&postgres);
    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'bellwire'";
    assert_eq!(postgres.run(owners), "bellwire_owner");
    let functions = functions(&redis, &postgres).await;
    functions.notify("alice", "two").await;
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    assert_eq!(use_everything(&functions, &redis, "bob").await, Vec::<String>::new());
    let dump = postgres.dump("bellwire_backup", "bellwire");
    assert!(dump.len() > 1000);
}

fn is_denied(postgres: &Postgres, role: &str, statement: &str) -> bool {
    let said = postgres.try_run_as(role, statement);
    said.is_err_and(|said| {
        ["permission denied", "must be owner", "not permitted to log in"]
            .iter()
            .any(|words| said.contains(words))
    })
}
