use serde_json::Value;
use support::eventually;
use support::process::Signal;

use crate::world::{LIMIT, World};

/// The printed JSON of a type, so far.
fn printed(output: &str, kind: &str) -> Vec<Value> {
    let frames = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    frames.filter(|frame| frame["type"] == kind).collect()
}

fn titles(output: &str) -> Vec<String> {
    let frames = printed(output, "notification").into_iter();
    frames.map(|frame| frame["notification"]["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn notifications_are_shown_as_they_arrive() {
    let world = World::start().await;
    let mut watch = world.start_command(&["watch", "alice", "--count", "2"]);
    watch.error_line("connected", LIMIT).await;
    world.functions.notify("bob", "not for alice").await;
    world.run(&["notify", "alice", "First", "--body", "of two", "--kind", "k"]).await.expect(0);
    world.functions.notify("alice", "Second").await;
    assert!(watch.ended(LIMIT).await.success());
    let output = watch.output();
    let lines: Vec<&str> = output.lines().filter(|line| line.contains('#')).collect();
    assert!(lines[0].ends_with("#1  k  First · of two"), "{output}");
    assert!(lines[1].ends_with("#2  Second") && lines.len() == 2, "{output}");
}

#[tokio::test]
async fn it_goes_on_after_a_restart_of_the_hub() {
    let world = World::start().await;
    let mut watch = world.start_command(&["watch", "alice", "--json"]);
    watch.line(r#"{"type":"welcome""#, LIMIT).await;
    world.functions.notify("alice", "before").await;
    eventually("it is shown", async || (titles(&watch.output()) == ["before"]).then_some(())).await;
    world.hub.kill();
    world.functions.notify("alice", "meanwhile 1").await;
    world.functions.notify("alice", "meanwhile 2").await;
    watch.line(r#"{"code":1006"#, LIMIT).await;
    world.hub.restart().await;
    watch.line(r#"{"type":"welcome""#, LIMIT).await;
    world.functions.notify("alice", "after").await;
    let all = ["before", "meanwhile 1", "meanwhile 2", "after"];
    eventually("all are shown", async || (titles(&watch.output()).len() >= 4).then_some(())).await;
    assert_eq!(titles(&watch.output()), all);
    assert!(printed(&watch.output(), "gap").is_empty());
    watch.signal(Signal::INT);
    assert!(watch.ended(LIMIT).await.success());
}

#[tokio::test]
async fn the_first_notification_is_not_lost_in_a_restart() {
    let world = World::start().await;
    let mut watch = world.start_command(&["watch", "nobody-yet", "--json", "--count", "1"]);
    watch.line(r#"{"type":"welcome""#, LIMIT).await;
    // The watch makes the feed, to have a position in it.
    eventually("there is a feed", async || {
        let keys: Vec<String> = world.redis.run_words(&["KEYS", "*nobody-yet*"]).await;
        (!keys.is_empty()).then_some(())
    })
    .await;
    eventually("it has its position", async || {
        (world.functions.feed("nobody-yet").await.status == 200).then_some(())
    })
    .await;
    world.hub.kill();
    world.functions.notify("nobody-yet", "first").await;
    world.hub.restart().await;
    assert!(watch.ended(LIMIT).await.success(), "{}", watch.output());
    assert_eq!(titles(&watch.output()), ["first"]);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_a_gap() {
    let world = World::start().await;
    let mut watch = world.start_command(&["watch", "alice"]);
    watch.error_line("connected", LIMIT).await;
    world.functions.notify("alice", "seen").await;
    eventually("it is shown", async || watch.has_printed("#1").then_some(())).await;
    world.hub.kill();
    // More than Redis keeps of a feed.
    for at in 0..102 {
        world.functions.notify("alice", &format!("n{at}")).await;
    }
    world.hub.restart().await;
    let gap = watch.error_line("gap: ", LIMIT).await;
    assert!(gap.contains("bellwire feed alice"), "{gap}");
    eventually("the newest is shown", async || watch.has_printed("n101").then_some(())).await;
}

#[tokio::test]
async fn it_needs_the_user_s_own_token() {
    let world = World::start().await;
    let done = world.run(&["watch", "alice"]).await.expect(4);
    done.saying(&["the token is admin's", "alice alone", "BELLWIRE_KEY_FILE"]);
    // Their own token, without a key.
    let mut command = world.command(&["watch", "alice", "--for", "1"]);
    command.env_remove("BELLWIRE_TOKEN_FILE");
    command.env("BELLWIRE_TOKEN", support::token("alice", ""));
    world.finish(command).await.expect(0).saying(&["connected"]);
    let since = ["watch", "alice", "--since", "nonsense"];
    world.run_with_key(&since).await.expect(2).saying(&["--since"]);
}

#[tokio::test]
async fn a_given_token_that_is_refused_is_not_replaced() {
    let world = World::start().await;
    let watch = |token: Option<(&str, &str)>| {
        let mut command = world.command(&["watch", "alice", "--for", "1"]);
        command.env_remove("BELLWIRE_TOKEN_FILE").env("BELLWIRE_KEY_FILE", world.file("key"));
        if let Some((variable, value)) = token {
            command.env(variable, value);
        }
        world.finish(command)
    };
    let other = support::Jwt::of("admin").sign("another key, and as long as it has to be");
    for (token, why) in [("nonsense", "not a JWT"), (other.as_str(), "does not match the key")] {
        let done = watch(Some(("BELLWIRE_TOKEN", token))).await.expect(4);
        let done = done.saying(&["the hub refuses the token from BELLWIRE_TOKEN", why]);
        assert!(done.stderr.to_lowercase().contains("correct it, or remove it"), "{done:?}");
        assert!(!done.stderr.contains("?."), "{done:?}");
        assert_eq!(done.stderr.matches("BELLWIRE_TOKEN").count(), 1, "{done:?}");
    }
    let done = watch(Some(("BELLWIRE_TOKEN_FILE", "no-such-file"))).await.expect(2);
    done.saying(&["no-such-file: there is no such file"]);
    watch(None).await.expect(0).saying(&["connected"]);
}

#[tokio::test]
async fn a_user_id_that_cannot_be_says_which_can() {
    let world = World::start().await;
    let done = world.run_with_key(&["watch", "al ice"]).await.expect(2);
    done.saying(&["the user id contains ' '", "allowed are A-Z a-z 0-9"]);
}

#[tokio::test]
async fn an_expired_token_is_replaced_by_the_file_s_next_one() {
    let world = World::start().await;
    // 60 s of leeway: the socket lasts two seconds.
    let short = support::Jwt::of("alice").expires_in(-58).sign(support::jwt::KEY);
    world.write("token", &short);
    let mut command = world.command(&["watch", "alice", "--json", "--count", "1"]);
    let mut watch = support::process::Process::start("bellwire", &mut command);
    watch.line(r#"{"type":"welcome""#, LIMIT).await;
    world.write("token", &support::token("alice", ""));
    watch.line(r#"{"code":4401"#, LIMIT).await;
    watch.line(r#"{"type":"welcome""#, LIMIT).await;
    world.functions.notify("alice", "later").await;
    assert!(watch.ended(LIMIT).await.success());
    assert_eq!(titles(&watch.output()), ["later"]);
    world.write("token", &short);
    let done = world.run(&["watch", "alice"]).await.expect(4);
    done.saying(&["expired"]);
}
