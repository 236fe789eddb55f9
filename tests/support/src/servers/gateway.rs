//! The only driver of `tests/peers/gateway.js`: a team's existing service, a plain Redis client in
//! Node that knows nothing of Bellwire.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::sleep;

use crate::process::Process;
use crate::wait::within;
use crate::{RedisServer, paths};

/// Longer than the gateway waits for Redis, which is 5 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A running gateway. A dead one fails its test with Node's message.
pub struct Gateway {
    process: Process,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    /// Returns once the gateway is subscribed.
    pub async fn start(redis: &RedisServer) -> Self {
        let mut command = Command::new("node");
        command.arg(paths::workspace().join("tests/peers/gateway.js"));
        command.arg(redis.port().to_string());
        let (process, stdin, stdout) = Process::start_dialogue("gateway.js", &mut command);
        let stdin = ChildStdin::from_std(stdin).unwrap();
        let lines = BufReader::new(ChildStdout::from_std(stdout).unwrap()).lines();
        let mut gateway = Self { process, stdin, lines };
        assert_eq!(gateway.answer().await, json!({"ready": true}));
        gateway
    }

    /// Calls an operation, which must succeed.
    pub async fn call(&mut self, words: Value) -> Value {
        let question = words.to_string();
        let answer = self.ask(question.clone()).await;
        answer.get("ok").unwrap_or_else(|| panic!("{question}: {answer}")).clone()
    }

    /// Calls an operation; `None` if Redis did not answer.
    pub async fn attempt(&mut self, words: Value) -> Option<Value> {
        self.ask(words.to_string()).await.get_mut("ok").map(Value::take)
    }

    /// Calls an operation, repeatedly until Redis answers.
    pub async fn insist(&mut self, words: Value) -> Value {
        loop {
            if let Some(answer) = self.attempt(words.clone()).await {
                return answer;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn ask(&mut self, question: String) -> Value {
        let sent = self.stdin.write_all((question + "\n").as_bytes()).await;
        if let Err(error) = sent {
            panic!("{error}: {}", self.process.output());
        }
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        let line = within(ANSWER_LIMIT, "the gateway answers", self.lines.next_line()).await;
        match line.unwrap() {
            Some(line) => serde_json::from_str(&line).unwrap(),
            None => {
                let status = self.process.ended(ANSWER_LIMIT).await;
                panic!("the gateway died with {status}: {}", self.process.output());
            }
        }
    }
}
