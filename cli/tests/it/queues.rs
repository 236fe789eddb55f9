use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn messages_go_through_their_life() {
    let world = World::start().await;
    assert_eq!(world.run(&["queues", "--once"]).await.expect(0).stdout, "no queue is in use\n");
    let big = r#"{"n":12345678901234567890123}"#;
    let sent = world.run(&["queue", "send", "mails", big, "2"]).await.expect(0);
    assert_eq!(sent.stdout, "2 appended\n");
    let again = ["queue", "send", "mails", "3", "--dedup-id", "d"];
    assert_eq!(world.run(&again).await.expect(0).stdout, "1 appended\n");
    assert!(world.run(&again).await.expect(0).stdout.contains("nothing appended"));

    let got = world.run(&["queue", "receive", "mails", "--json"]).await.expect(0);
    assert!(got.stdout.contains(big), "{got:?}");
    let receipt = got.one()["messages"][0]["receipt"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["queue", "ack", "mails", &receipt]).await.expect(0).stdout, "1 done\n");
    world.run(&["queue", "ack", "mails", &receipt]).await.expect(1).saying(&["stale_receipt"]);

    let got = world.run(&["queue", "receive", "mails", "--ack"]).await.expect(0);
    assert_eq!(got.stdout, "2\n");
    assert!(got.stderr.contains("attempt 1"), "{got:?}");
    let got = world.run(&["queue", "receive", "mails", "--json"]).await.expect(0).one();
    let receipt = got["messages"][0]["receipt"].as_str().unwrap();
    let nack = ["queue", "nack", "mails", receipt, "--delay", "600", "--reason", "later"];
    world.run(&nack).await.expect(0);
    let empty = world.run(&["queue", "receive", "mails"]).await.expect(0);
    assert_eq!((&*empty.stdout, empty.stderr.trim()), ("", "no message is ready"));

    let all = world.run(&["queues", "--json"]).await.expect(0).one();
    assert_eq!(all["queues"][0]["queue"], "mails");
    assert_eq!((&all["queues"][0]["delayed"], &all["queues"][0]["ready"]), (&json!(1), &json!(0)));
    // Without a terminal the table comes once.
    let table = world.run(&["queues"]).await.expect(0).stdout;
    assert!(table.starts_with("QUEUE") && table.contains("mails"), "{table}");
}

#[tokio::test]
async fn dead_letters_are_shown_and_put_back() {
    let world = World::start().await;
    world.run(&["queue", "send", "mails", r#""first""#]).await.expect(0);
    // What is not JSON dies at once.
    world.redis.command(&["RPUSH", "mails", "no json"]).await;
    world.run(&["queue", "receive", "mails", "--max", "5", "--ack"]).await.expect(0);
    let dead = world.run(&["queue", "dead", "mails"]).await.expect(0).stdout;
    assert!(dead.contains("no json"), "{dead}");
    let page = world.run(&["queue", "dead", "mails", "--json"]).await.expect(0).one();
    assert_eq!(page["items"][0]["raw"], "no json");
    let id = page["items"][0]["id"].as_str().unwrap();
    let put = world.run(&["queue", "redrive", "mails", id]).await.expect(0);
    assert_eq!(put.stdout, "1 put back\n");
    assert_eq!(world.run(&["queue", "dead", "mails"]).await.expect(0).stdout, "no dead letters\n");
}

#[tokio::test]
async fn messages_come_from_standard_input() {
    let world = World::start().await;
    let send = async |text: &str| {
        let mut command = world.command(&["queue", "send", "lines", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
    };
    let output = send("{\"a\":1}\n\n[2]\n").await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2 appended\n");
    assert_eq!(world.redis.list("lines").await, ["{\"a\":1}", "[2]"]);
    let output = send("{\"a\":1}\nno\n").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("line 2 is not JSON"));
    assert_eq!(world.redis.list("lines").await.len(), 2);
}
