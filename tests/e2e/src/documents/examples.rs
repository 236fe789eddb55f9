//! The snippets of the documents, `examples/javascript`, run by Node against a real hub: with what Node
//! itself has of a browser, and with `tests/peers/browser.js`, which older ones need.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::process::Process;
use support::{Functions, Hub, Proxy, RedisServer, eventually_within, paths, token};
use tempfile::TempDir;

/// A client that came back some times in vain waits for seconds.
const PATIENCE: Duration = Duration::from_secs(40);
/// What stands in the files, for people to replace.
const HUB: &str = "127.0.0.1:3001";
const TOKEN: &str = "<USER_TOKEN>";

/// Whose WebSocket and EventSource a snippet gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Browser {
    Nodes,
    Own,
}

const BROWSERS: [Browser; 2] = [Browser::Nodes, Browser::Own];

/// Node keeps what is young behind flags, and fails with a flag that it does not know.
fn flags() -> Vec<String> {
    let known = "['--experimental-websocket', '--experimental-eventsource']\
                 .filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)).join(' ')";
    let output = Command::new("node").args(["-p", known]).output().expect("node is installed");
    let flags = String::from_utf8(output.stdout).unwrap();
    flags.split_whitespace().map(str::to_owned).collect()
}

/// A snippet that runs as alice.
struct Snippet {
    process: Process,
    _dir: TempDir,
}

impl Snippet {
    /// Runs the file `name` with the hub at `address` (`host:port`).
    fn run(name: &str, address: &str, browser: Browser) -> Self {
        let path = paths::workspace().join("examples/javascript").join(name);
        let mut text = std::fs::read_to_string(path).unwrap();
        for (placeholder, value) in [(HUB, address), (TOKEN, &token("alice", ""))] {
            let code = text.lines().filter(|line| !line.starts_with("//"));
            let count: usize = code.map(|line| line.matches(placeholder).count()).sum();
            assert_eq!(count, 1, "{name}: {placeholder} is set in one place");
            text = text.replace(placeholder, value);
        }
        let dir = tempfile::tempdir().unwrap();
        let file: PathBuf = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("node");
        match browser {
            Browser::Nodes => command.args(flags()),
            Browser::Own => command.env("BELLWIRE_OWN_BROWSER", "1"),
        };
        command.arg("--require").arg(paths::workspace().join("tests/peers/browser.js")).arg(file);
        Self { process: Process::start(name, &mut command), _dir: dir }
    }

    /// The words of each `console.log` so far.
    fn logged(&self) -> Vec<Vec<Value>> {
        let output = self.process.output();
        let lines = output.lines().filter_map(|line| line.strip_prefix("log "));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Frames of `bellwire.v1` so far, each logged as it came.
    fn frames(&self) -> Vec<Value> {
        let logged = self.logged();
        let texts = logged.iter().filter(|words| words.len() == 1).filter_map(|w| w[0].as_str());
        texts.map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// How many frames of this type came.
    fn count(&self, kind: &str) -> usize {
        self.frames().iter().filter(|frame| frame["type"] == kind).count()
    }

    /// Titles of the notifications so far, of frames or of events.
    fn titles(&self) -> Vec<String> {
        let of_frames = self.frames().into_iter().map(|frame| frame["notification"].clone());
        let of_events = self.logged().into_iter().filter(|words| words[0] == "notification");
        let of_events = of_events.map(|words| serde_json::from_str(words[1].as_str().unwrap()));
        let notifications = of_frames.chain(of_events.map(Result::unwrap));
        notifications.filter_map(|it: Value| it["title"].as_str().map(str::to_owned)).collect()
    }

    async fn until(&self, what: &str, check: impl Fn(&Self) -> bool) {
        eventually_within(PATIENCE, what, async || check(self).then_some(())).await;
    }

    /// Exactly these notifications came, in this order.
    async fn until_titles(&self, expected: &[&str]) {
        self.until("all notifications", |it| it.titles().len() >= expected.len()).await;
        assert_eq!(self.titles(), expected);
    }
}

/// A Redis, functions, a hub, and a network in front of it.
async fn stage() -> (RedisServer, Functions, Hub, Proxy) {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let proxy = Proxy::to(&hub.address.to_string()).await;
    (redis, functions, hub, proxy)
}

#[tokio::test]
async fn a_socket_is_told_everything_and_at_last_why_it_is_closed() {
    for browser in BROWSERS {
        let (_redis, functions, hub, proxy) = stage().await;
        let snippet = Snippet::run("socket.js", &proxy.address(), browser);
        snippet.until("a welcome", |it| it.count("welcome") == 1).await;
        functions.notify("bob", "for bob").await;
        functions.notify("alice", "one").await;
        snippet.until_titles(&["one"]).await;
        assert!(hub.terminate(PATIENCE).await.success());
        let closed = [json!("closed"), json!(1012), json!("restart")];
        snippet.until("the close code", |it| it.logged().last().unwrap() == &closed).await;
        assert_eq!(snippet.count("reconnect"), 1);
    }
}

#[tokio::test]
async fn a_client_that_reconnects_misses_nothing_and_gets_nothing_twice() {
    for browser in BROWSERS {
        let (redis, functions, _hub, proxy) = stage().await;
        let snippet = Snippet::run("reconnect.js", &proxy.address(), browser);
        snippet.until("a welcome", |it| it.count("welcome") == 1).await;
        functions.notify("alice", "one").await;
        snippet.until_titles(&["one"]).await;
        proxy.cut();
        functions.notify("alice", "two").await;
        functions.notify("alice", "three").await;
        let is_closed = |it: &Snippet| it.logged().iter().any(|words| words[0] == "closed");
        snippet.until("the end of the connection", is_closed).await;
        proxy.release();
        snippet.until_titles(&["one", "two", "three"]).await;

        // What it has is in no feed any more: it is told so, and goes on from there.
        proxy.cut();
        let _: () = redis.run("FLUSHALL").await;
        for at in 0..101 {
            functions.notify("alice", &format!("missed {at}")).await;
        }
        proxy.release();
        snippet.until("a gap", |it| it.count("gap") == 1).await;
        functions.notify("alice", "live").await;
        let is_live = |it: &Snippet| it.titles().last().unwrap() == "live";
        snippet.until("the next notification", is_live).await;
        let titles = snippet.titles();
        let once: std::collections::BTreeSet<&String> = titles.iter().collect();
        assert_eq!(once.len(), titles.len(), "{titles:?}");
        assert_eq!(snippet.count("gap"), 1);
    }
}

#[tokio::test]
async fn a_ticket_opens_a_socket() {
    for browser in BROWSERS {
        let (_redis, functions, _hub, proxy) = stage().await;
        let snippet = Snippet::run("ticket.js", &proxy.address(), browser);
        snippet.until("a welcome", |it| it.count("welcome") == 1).await;
        functions.notify("alice", "one").await;
        snippet.until_titles(&["one"]).await;
    }
}

#[tokio::test]
async fn an_event_source_takes_a_ticket_each_time_and_resumes() {
    for browser in BROWSERS {
        let (_redis, functions, _hub, proxy) = stage().await;
        let snippet = Snippet::run("events.js", &proxy.address(), browser);
        eventually_within(PATIENCE, "alice is online", async || {
            let asked = functions.get("/presence/alice").token(&token("svc", "presence:read"));
            (asked.send().await.expect(200).json()["online"] == true).then_some(())
        })
        .await;
        functions.notify("alice", "one").await;
        snippet.until_titles(&["one"]).await;
        proxy.cut();
        functions.notify("alice", "two").await;
        proxy.release();
        snippet.until_titles(&["one", "two"]).await;
        functions.notify("alice", "three").await;
        snippet.until_titles(&["one", "two", "three"]).await;
    }
}
