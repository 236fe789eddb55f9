use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::process::{Process, Signal};
use support::{Proxy, eventually};

use crate::world::{LIMIT, World};

const LIST: &str = "campaign:spring";

fn csv(count: usize) -> String {
    let row = |at| format!("user{at},token{at},\"Name, {at}\"\n");
    "userId,fcmToken,name\n".to_owned() + &(0..count).map(row).collect::<String>()
}

/// The ids in the campaign's list, in order.
async fn users(world: &World) -> Vec<String> {
    let ids = world.redis.list(LIST).await.into_iter().map(|element| {
        let user: Value = serde_json::from_str(&element).unwrap();
        user["userId"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

#[tokio::test]
async fn a_file_is_loaded_once_however_often_the_command_runs() {
    let world = World::start().await;
    let file = world.write("users.csv", &csv(25));
    let load = ["campaign", "load", &file, "--id", "spring", "--batch", "10"];
    for _ in 0..2 {
        let done = world.run(&load).await.expect(0);
        assert_eq!(done.stdout, "25 users of users.csv are in spring; 25 waiting\n");
    }
    assert_eq!(users(&world).await.len(), 25);
    let first: Value = serde_json::from_str(&world.redis.list(LIST).await[0]).unwrap();
    let fields = json!({"name": "Name, 0"});
    assert_eq!(first, json!({"userId": "user0", "fcmToken": "token0", "fields": fields}));

    // More rows under the same name: the last part is another one.
    world.write("users.csv", &csv(30));
    let done = world.run(&load).await.expect(1);
    done.saying(&["users.csv was loaded", "from user 21 on", "no user was added twice", "--name"]);
    assert_eq!(users(&world).await.len(), 25);
    let other = [&load[..], &["--name", "second", "--json"]].concat();
    let done = world.run(&other).await.expect(0).one();
    assert_eq!(done, json!({"campaign": "spring", "users": 30, "remaining": 55}));

    // A removed campaign begins anew.
    world.run(&["campaign", "remove", "spring"]).await.expect(0);
    world.run(&load).await.expect(0);
    assert_eq!(users(&world).await.len(), 30);
}

#[tokio::test]
async fn wrong_rows_are_named_and_nobody_is_added() {
    let world = World::start().await;
    let file = world.write("users.csv", "userId,name\nalice,\"A\nB\"\nb o b,x\ncarol\nalice,y\n");
    let done = world.run(&["campaign", "load", &file, "--id", "spring"]).await.expect(1);
    let done = done.saying(&[
        "3 wrong rows; no user was added",
        ":4: ",
        ":5: 1 column,",
        ":6: alice is on line 2",
    ]);
    assert!(done.stderr.contains("users.csv:4:"), "{done:?}");
    assert!(world.redis.list(LIST).await.is_empty());
    let template = world.write("push.toml", "when = \"sometimes\"\n[template]\ntitle = \"x\"\n");
    let file = world.write("users.csv", "userId\nalice\n");
    let load = ["campaign", "load", &file, "--id", "spring", "--push", &template];
    world.run(&load).await.expect(2).saying(&["push.toml", "`when`"]);
    assert!(world.redis.list(LIST).await.is_empty());
    world.run(&["campaign", "load", "-", "--id", "spring"]).await.expect(2).saying(&["--name"]);
    let load = ["campaign", "load", "no-such-file", "--id", "spring"];
    world.run(&load).await.expect(2).saying(&["no-such-file: there is no such file"]);
    let load = ["campaign", "load", &file, "--id", "spring"];
    let done = world.run(&load).await.expect(0);
    assert_eq!(done.stdout, "1 user of users.csv is in spring; 1 waiting\n");
}

/// A load through a proxy, on its way.
struct Load {
    process: Process,
    arguments: Vec<String>,
}

impl Load {
    fn start(world: &World, proxy: &Proxy, count: usize) -> Self {
        let file = world.write("users.csv", &csv(count));
        let arguments = ["campaign", "load", &file, "--id", "spring", "--batch", "5"];
        let arguments: Vec<String> = arguments.map(str::to_owned).into();
        let mut command = world.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("BELLWIRE_URL", format!("http://{}", proxy.address()));
        Self { process: Process::start("bellwire", &mut command), arguments }
    }

    /// Ctrl-C, the end, and the same command again.
    async fn interrupt_and_repeat(mut self, world: &World, proxy: &Proxy) {
        self.process.signal(Signal::INT);
        let status = self.process.ended(LIMIT).await;
        let output = self.process.output();
        assert_eq!(status.code(), Some(130), "{output}");
        assert!(output.contains("run the same command again"), "{output}");
        proxy.release();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        world.run(&arguments).await.expect(0);
    }
}

/// Everyone once, in the file's order.
async fn all_once(world: &World, count: usize) {
    let users = users(world).await;
    let different: BTreeSet<&String> = users.iter().collect();
    assert_eq!((users.len(), different.len()), (count, count));
    assert!(users.iter().enumerate().all(|(at, user)| *user == format!("user{at}")));
}

#[tokio::test]
async fn a_load_that_is_interrupted_before_its_request_arrives_loses_and_doubles_nobody() {
    let world = World::start().await;
    let proxy = Proxy::to(&world.functions.address()).await;
    let pace = Duration::from_millis(5);
    proxy.delay(pace, pace);
    let load = Load::start(&world, &proxy, 500);
    eventually("some are added", async || (users(&world).await.len() >= 20).then_some(())).await;
    proxy.hold();
    eventually("a request is on its way", async || (proxy.held_bytes() > 0).then_some(())).await;
    // What was held arrives while the command runs again, or later.
    load.interrupt_and_repeat(&world, &proxy).await;
    all_once(&world, 500).await;
}

#[tokio::test]
async fn a_load_that_is_interrupted_before_the_answer_arrives_loses_and_doubles_nobody() {
    let world = World::start().await;
    let proxy = Proxy::to(&world.functions.address()).await;
    // Longer than the test: the first answer never arrives.
    proxy.delay(Duration::ZERO, LIMIT);
    let load = Load::start(&world, &proxy, 200);
    eventually("the first are added", async || (users(&world).await.len() == 5).then_some(()))
        .await;
    load.interrupt_and_repeat(&world, &proxy).await;
    all_once(&world, 200).await;
}

#[tokio::test]
async fn a_load_lasts_through_an_outage() {
    let world = World::start().await;
    let proxy = Proxy::to(&world.functions.address()).await;
    let pace = Duration::from_millis(5);
    proxy.delay(pace, pace);
    let mut load = Load::start(&world, &proxy, 300);
    eventually("some are added", async || (users(&world).await.len() >= 20).then_some(())).await;
    proxy.cut();
    world.functions.kill();
    world.functions.restart().await;
    proxy.release();
    assert!(load.process.ended(LIMIT).await.success(), "{}", load.process.output());
    all_once(&world, 300).await;
}

#[tokio::test]
async fn a_field_that_the_file_lacks_is_named_before_a_user_is_added() {
    let world = World::start().await;
    let template = world.write("push.toml", "[template]\ntitle = \"x\"\nbody = \"{{nme}}\"\n");
    let file = world.write("users.csv", "userId,name\nalice,A\n");
    let load = ["campaign", "load", &file, "--id", "spring", "--push", &template];
    let done = world.run(&load).await.expect(2);
    done.saying(&[
        "needs `{{nme}}`",
        "no such column (did you mean `{{name}}`?); no user was added",
    ]);
    assert!(world.redis.list(LIST).await.is_empty());
    world.write("users.csv", "userId,nme\nalice,A\nbob,\ncarol,\n");
    let done = world.run(&load).await.expect(0);
    done.saying(&["warning: 2 users of ", "without `nme`: no push for them"]);
    let done = world.run(&[&load[..], &["--json"]].concat()).await.expect(0);
    let warnings = &done.one()["warnings"];
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{done:?}");
    assert!(warnings[0].as_str().unwrap().starts_with("2 users of "), "{done:?}");
}

#[tokio::test]
async fn a_quote_that_is_never_closed_loses_nobody() {
    let world = World::start().await;
    let file = world.write("users.csv", "userId,name\nalice,\"A\nbob,B\ncarol,C\n");
    let done = world.run(&["campaign", "load", &file, "--id", "spring"]).await.expect(1);
    done.saying(&["users.csv:2: ", "never closed", "no user was added"]);
    assert!(world.redis.list(LIST).await.is_empty());
}

#[tokio::test]
async fn a_push_is_started_shown_and_steered() {
    let world = World::start().await;
    let file = world.write("users.csv", &csv(3));
    let template = world.write(
        "push.toml",
        "when = \"always\"\nrate = 10\n[template]\ntitle = { default = \"Hello {{name}}\", de = \"Hallo\" }\n",
    );
    let load = ["campaign", "load", &file, "--id", "spring", "--push", &template, "--json"];
    let done = world.run(&load).await.expect(0).one();
    assert_eq!(
        (&done["push"]["state"], &done["push"]["remaining"]),
        (&json!("running"), &json!(3))
    );
    let paused = world.run(&["campaign", "pause", "spring"]).await.expect(0).stdout;
    assert!(paused.contains("paused") && paused.contains("spring"), "{paused}");
    let resumed = world.run(&["campaign", "resume", "spring", "--json"]).await.expect(0).one();
    assert_eq!(resumed["push"]["state"], "running");
    world.run(&["campaign", "cancel", "spring"]).await.expect(0);
    let status = world.run(&["campaign", "status", "spring", "--json"]).await.expect(0).one();
    assert_eq!(
        (&status["push"]["state"], &status["users"]["remaining"]),
        (&json!("cancelled"), &json!(3))
    );
    let pause = async || world.run(&["campaign", "pause", "spring"]).await.expect(5);
    pause().await.saying(&["the push of campaign spring is cancelled: there is nothing to pause"]);
    world.redis.command(&["HSET", "bw:push:{campaign:spring}", "state", "done"]).await;
    pause().await.saying(&["the push of campaign spring is done: there is nothing to pause"]);
    let resume = world.run(&["campaign", "resume", "summer"]).await.expect(5);
    resume.saying(&["campaign summer has no push: there is nothing to resume"]);
    world.run(&["campaign", "status", "summer"]).await.expect(5).saying(&["no campaign summer"]);
}
