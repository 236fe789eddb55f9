//! The existing service: `tests/peers/gateway.js` beside the hub, on the same Redis.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{RedisServer, SOON};

pub struct Gateway {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    pub async fn start(redis: &RedisServer) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/gateway.js");
        let mut child = Command::new("node")
            .arg(program)
            .arg(redis.port().to_string())
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

    /// Has it do something that has to work.
    pub async fn call(&mut self, words: Value) -> Value {
        let answer = self.attempt(&words).await;
        answer.get("ok").unwrap_or_else(|| panic!("{words}: {answer}")).clone()
    }

    /// Has it do something, as often as it takes: it answers, whatever Redis does.
    pub async fn insist(&mut self, words: Value) -> Value {
        loop {
            if let Some(answer) = self.attempt(&words).await.get("ok") {
                return answer.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn attempt(&mut self, words: &Value) -> Value {
        self.stdin.write_all(format!("{words}\n").as_bytes()).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        let line = timeout(SOON, self.lines.next_line()).await.expect("an answer in time");
        serde_json::from_str(&line.unwrap().expect("the gateway is alive")).unwrap()
    }
}
