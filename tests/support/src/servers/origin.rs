//! An HTTP origin that counts requests and answers as told: slowly, wrongly or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The origin's answer from now on.
#[derive(Clone, Debug)]
pub struct Plan {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// `{n}` stands for the number of the request.
    pub body: String,
    /// Number of repetitions of the body.
    pub times: usize,
    pub delay: Duration,
    /// Never answers.
    pub hangs: bool,
}

impl Default for Plan {
    /// A value that contains the number of its request.
    fn default() -> Self {
        Self::json(r#"{"n":{n}}"#)
    }
}

impl Plan {
    pub fn json(body: &str) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.to_owned(),
            times: 1,
            delay: Duration::ZERO,
            hangs: false,
        }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::json("{}") }
    }

    pub fn after(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An origin on a port of its own. Ends with the test's runtime.
pub struct Origin {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    plan: Plan,
    /// Other answers, for some targets.
    plans: BTreeMap<String, Plan>,
    /// Heads of all requests, in lower case except for their first line.
    requests: Vec<String>,
    bytes_sent: usize,
}

impl Origin {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn plan(&self, plan: Plan) {
        self.state.lock().unwrap().plan = plan;
    }

    /// Sets the answer to requests for one target (path and query).
    pub fn plan_for(&self, target: &str, plan: Plan) {
        self.state.lock().unwrap().plans.insert(target.to_owned(), plan);
    }

    /// Number of requests for one target.
    pub fn count_of(&self, target: &str) -> usize {
        let line = format!("GET {target} ");
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|request| request.starts_with(&line)).count()
    }

    /// Number of requests.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// The last request: its first line, and its headers in lower case.
    pub fn last(&self) -> String {
        self.state.lock().unwrap().requests.last().cloned().unwrap_or_default()
    }

    /// Number of body bytes sent.
    pub fn bytes_sent(&self) -> usize {
        self.state.lock().unwrap().bytes_sent
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(head) = head(&mut stream, &mut buffer).await {
        let (plan, number) = {
            let mut state = state.lock().unwrap();
            let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
            state.requests.push(format!("{first}\r\n{}", rest.to_lowercase()));
            let target = first.split(' ').nth(1).unwrap_or_default();
            let plan = state.plans.get(target).unwrap_or(&state.plan).clone();
            (plan, state.requests.len())
        };
        if plan.hangs {
            // Until the client gives up.
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        tokio::time::sleep(plan.delay).await;
        let body = plan.body.replace("{n}", &number.to_string());
        let has_body = !matches!(plan.status, 204 | 304);
        let length = if has_body { body.len() * plan.times } else { 0 };
        let mut answer = format!("HTTP/1.1 {} x\r\n", plan.status);
        if has_body {
            answer.push_str(&format!("content-length: {length}\r\n"));
        }
        for (name, value) in &plan.headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        for _ in 0..if has_body { plan.times } else { 0 } {
            if stream.write_all(body.as_bytes()).await.is_err() {
                return;
            }
            state.lock().unwrap().bytes_sent += body.len();
        }
    }
}

/// The next head of a request without a body.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = buffer.split_off(end + 4);
            let head = std::mem::replace(buffer, rest);
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
}
