//! The service that a team already has: `tests/peers/gateway.js`, a plain Redis client in Node that
//! knows nothing of Bellwire.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::{RedisServer, paths};

/// Longer than it gives Redis.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

pub struct Gateway {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    pub async fn start(redis: &RedisServer) -> Self {
        let address = redis.address();
        let port = address.rsplit(':').next().unwrap();
        let mut child = Command::new("node")
            .arg(paths::workspace().join("tests/peers/gateway.js"))
            .arg(port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut gateway = Self { _child: child, stdin, lines };
        assert_eq!(gateway.answer().await, json!({"ready": true}));
        gateway
    }

    /// Has it do something; fails when it is dead or Redis does not answer it.
    pub async fn call(&mut self, words: Value) -> Value {
        self.stdin.write_all(format!("{words}\n").as_bytes()).await.unwrap();
        let answer = self.answer().await;
        answer.get("ok").unwrap_or_else(|| panic!("{words}: {answer}")).clone()
    }

    async fn answer(&mut self) -> Value {
        let line = timeout(ANSWER_DEADLINE, self.lines.next_line()).await.expect("in time");
        serde_json::from_str(&line.unwrap().expect("the gateway is alive")).unwrap()
    }
}
