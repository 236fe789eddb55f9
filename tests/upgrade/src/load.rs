//! The load of a run: services that create, users who listen and read, a queue; and the final checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Http, token};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::counts::{Counts, add};
use crate::queue::Queue;
use crate::scene::Scene;
use crate::user::User;

const USERS: usize = 12;
const WRITERS: usize = 4;
/// Between two creates of a writer.
const PAUSE: Duration = Duration::from_millis(40);
/// One request is tried again for so long; an exchange takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const BACKOFF: Duration = Duration::from_millis(50);
/// What is under way at the end arrives within this time.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Every so many creates are a batch.
const BATCH_EVERY: usize = 7;

/// The functions, as their callers see them: several hosts, any of which may be away.
pub struct Api {
    hosts: Vec<Http>,
    pub counts: Arc<Counts>,
}

impl Api {
    /// The body of a 2xx answer of any host. A request without an answer, and one that is answered 503 or 409, is sent
    /// again; any other answer is a defect, and `None`.
    pub async fn call(
        &self,
        method: &str,
        target: &str,
        token: &str,
        body: &Value,
    ) -> Option<Value> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let host = self.hosts.get(fastrand::usize(..self.hosts.len()))?;
            let call = host.call(method, target).token(token);
            let call = if body.is_null() { call } else { call.body(body.to_string()) };
            match call.try_send().await {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    return serde_json::from_slice(&answer.body).ok();
                }
                Ok(answer) if matches!(answer.status, 409 | 503) => {
                    self.counts.again(format!("{method} {}", answer.status));
                }
                Ok(answer) => {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    self.counts.defect(format!("{method} {target}: {} {text}", answer.status));
                    return None;
                }
                Err(_) => self.counts.again("no answer"),
            }
            sleep(BACKOFF).await;
        }
        self.counts.defect(format!("{method} {target}: no success within {PATIENCE:?}"));
        None
    }
}

pub struct Load {
    api: Arc<Api>,
    stop_writing: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    users: Vec<Arc<User>>,
    queue: Arc<Queue>,
    writing: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

/// Starts it; every user has one notification and one listener before anything else is created.
pub async fn start(scene: &Scene) -> Load {
    let hosts = scene.functions().iter().map(|address| Http::plain(address)).collect();
    let api = Arc::new(Api { hosts, counts: Arc::default() });
    let (stop_writing, stop) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    let users: Vec<_> = (0..USERS).map(|number| Arc::new(User::new(number))).collect();
    let queue = Arc::new(Queue::default());
    let mut others = Vec::new();
    for user in &users {
        create(&api, user, &[0]).await;
        let (user, hubs) = (user.clone(), scene.hubs());
        let (counts, stop) = (api.counts.clone(), stop.clone());
        others.push(tokio::spawn(user.clone().listen(hubs, counts.clone(), stop.clone())));
    }
    let reading = read(api.clone(), users.clone(), stop.clone());
    others.push(tokio::spawn(reading));
    others.push(tokio::spawn(queue.clone().receive(api.clone(), stop.clone())));
    let mut writing = vec![tokio::spawn(queue.clone().send(api.clone(), stop_writing.clone()))];
    for number in 0..WRITERS {
        let work = write(api.clone(), users.clone(), number, stop_writing.clone());
        writing.push(tokio::spawn(work));
    }
    Load { api, stop_writing, stop, users, queue, writing, others }
}

/// Creates until it is told to stop.
async fn write(api: Arc<Api>, users: Vec<Arc<User>>, writer: usize, stop: Arc<AtomicBool>) {
    let mut number = 1;
    while !stop.load(Ordering::Relaxed) {
        let Some(user) = users.get(fastrand::usize(..users.len())) else { return };
        let size = if number % BATCH_EVERY == 0 { 3 } else { 1 };
        let numbers: Vec<usize> =
            (0..size).map(|more| (number + more) * WRITERS + writer).collect();
        create(&api, user, &numbers).await;
        number += size;
        sleep(PAUSE).await;
    }
}

/// Creates one notification, or a batch. Repeats carry the same idempotency keys.
async fn create(api: &Api, user: &User, numbers: &[usize]) {
    let item = |number: &usize| {
        let key = format!("{}-{number}", user.name);
        json!({"userId": user.name, "title": format!("{number}"), "idempotencyKey": key})
    };
    let items: Vec<Value> = numbers.iter().map(item).collect();
    let service = token("a service", "notifications:write");
    let body = json!({"notifications": items});
    let begun = Instant::now();
    loop {
        let Some(answer) = api.call("POST", "/notifications/batch", &service, &body).await else {
            return;
        };
        let results = answer["results"].as_array().cloned().unwrap_or_default();
        if results.iter().any(|result| result["status"] == 503) && begun.elapsed() < PATIENCE {
            api.counts.again("a result 503");
            continue;
        }
        for result in results {
            match result["notification"]["id"].as_str() {
                Some(id) => {
                    user.created(id);
                    add(&api.counts.created);
                }
                None => api.counts.defect(format!("{} {numbers:?}: {result}", user.name)),
            }
        }
        return;
    }
}

/// Reads feeds and marks what was read, as the users' pages do.
async fn read(api: Arc<Api>, users: Vec<Arc<User>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Some(user) = users.get(fastrand::usize(..users.len())) else { return };
        let target = format!("/users/{}/notifications", user.name);
        let own = token(&user.name, "");
        if let Some(feed) = api.call("GET", &target, &own, &Value::Null).await {
            let entries = feed["notifications"].as_array().cloned().unwrap_or_default();
            let seqs: Vec<i64> = entries.iter().filter_map(|entry| entry["seq"].as_i64()).collect();
            if !seqs.is_sorted_by(|newer, older| *newer == older + 1) {
                api.counts.defect(format!("the feed of {} is not in order: {seqs:?}", user.name));
            }
            if let Some(seq) = seqs.get(seqs.len() / 2) {
                let mark = json!({"upTo": seq});
                api.call("POST", &format!("{target}/read"), &own, &mark).await;
                user.marked(*seq);
            }
            add(&api.counts.read);
        }
        sleep(PAUSE).await;
    }
}

impl Load {
    /// Stops it, and checks what is left: feeds, unread numbers, listeners, the queue.
    pub async fn end(mut self) -> Arc<Counts> {
        let counts = self.api.counts.clone();
        self.stop_writing.store(true, Ordering::Relaxed);
        joined(std::mem::take(&mut self.writing), &counts).await;
        let begun = Instant::now();
        while !self.is_done() && begun.elapsed() < CATCH_UP {
            sleep(BACKOFF).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        joined(std::mem::take(&mut self.others), &counts).await;
        for user in &self.users {
            user.check(&self.api).await;
        }
        self.queue.check(&counts);
        counts
    }

    /// Whether every user has received, and every message has been worked on.
    fn is_done(&self) -> bool {
        self.users.iter().all(|user| user.has_all()) && self.queue.is_empty()
    }
}

/// Waits for the tasks: each ends within the time of one request.
async fn joined(tasks: Vec<JoinHandle<()>>, counts: &Counts) {
    for task in tasks {
        match tokio::time::timeout(PATIENCE * 2, task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => counts.defect(format!("a task failed: {error}")),
            Err(_) => counts.defect("a task did not end".to_owned()),
        }
    }
}
