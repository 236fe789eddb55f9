//! A stream of creates for several users, one by one and in batches, that goes on until it is told
//! to end. It fails on any answer but a success and `record_unavailable`.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Functions, eventually, token};
use tokio::time::sleep;

pub const USERS: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];

/// Between two creates of a user, so that a feed window holds all of them.
const PAUSE: Duration = Duration::from_millis(30);
/// Between two batches, with an entry for each user.
const BATCH_PAUSE: Duration = Duration::from_millis(150);

/// The stream, and what became of it.
pub struct Stream<'a> {
    functions: &'a Functions,
    is_over: Cell<bool>,
    /// Notifications that were answered with a success.
    answered: RefCell<Vec<Value>>,
    /// Users of entries whose outcome is unknown.
    unknown: RefCell<Vec<&'static str>>,
    refused: Cell<usize>,
    slowest: Cell<Duration>,
}

impl<'a> Stream<'a> {
    pub fn new(functions: &'a Functions) -> Self {
        Self {
            functions,
            is_over: Cell::default(),
            answered: RefCell::default(),
            unknown: RefCell::default(),
            refused: Cell::default(),
            slowest: Cell::default(),
        }
    }

    pub async fn run(&self) {
        tokio::join!(join_all(USERS.map(|user| self.creates(user))), self.batches());
    }

    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// The number of creates that were answered with a success, without batches.
    pub fn answered(&self) -> usize {
        self.answered.borrow().len()
    }

    /// The notifications that were answered with a success, after the first `count`.
    pub fn answered_after(&self, count: usize) -> Vec<Value> {
        self.answered.borrow().iter().skip(count).cloned().collect()
    }

    pub fn refused(&self) -> usize {
        self.refused.get()
    }

    pub fn slowest(&self) -> Duration {
        self.slowest.get()
    }

    pub async fn until_answered(&self, count: usize) {
        eventually("creates are answered", async || (self.answered() >= count).then_some(())).await;
    }

    pub async fn until_refused(&self, count: usize) {
        eventually("creates are refused", async || (self.refused.get() >= count).then_some(()))
            .await;
    }

    async fn creates(&self, user: &'static str) {
        while !self.is_over.get() {
            let answer = self.functions.create(&json!({"userId": user, "title": "one"})).await;
            if self.was_committed(&answer, &[user]) {
                self.answered.borrow_mut().push(answer.expect(201).json());
            }
            sleep(PAUSE).await;
        }
    }

    async fn batches(&self) {
        let entry = |user: &str| json!({"userId": user, "title": "one of a batch"});
        let body = json!({"notifications": USERS.map(entry)}).to_string();
        while !self.is_over.get() {
            let call = self.functions.post("/notifications/batch", body.clone());
            let answer = call.token(&token("a service", "notifications:write")).send().await;
            if self.was_committed(&answer, &USERS) {
                for result in answer.expect(200).json()["results"].as_array().unwrap() {
                    assert_eq!(result["status"], 201, "{result}");
                    self.answered.borrow_mut().push(result["notification"].clone());
                }
            }
            sleep(BATCH_PAUSE).await;
        }
    }

    /// Notes an answer; `false` if it is a 503, after which the outcome is unknown.
    fn was_committed(&self, answer: &Answer, users: &[&'static str]) -> bool {
        self.slowest.set(self.slowest.get().max(answer.took));
        if answer.status != 503 {
            return true;
        }
        assert_eq!(answer.json()["code"], "record_unavailable", "{}", answer.text());
        self.refused.set(self.refused.get() + 1);
        self.unknown.borrow_mut().extend(users);
        false
    }

    /// `ids`: the record's, oldest first. Every success is there under its seq, and nothing that
    /// nobody asked for.
    pub fn check_record(&self, user: &str, ids: &[String]) {
        let answered = self.answered.borrow();
        let answered: Vec<&Value> = answered.iter().filter(|it| it["userId"] == user).collect();
        for notification in &answered {
            let seq = notification["seq"].as_u64().unwrap() as usize;
            let id = ids.get(seq - 1).map(String::as_str);
            assert_eq!(id, notification["id"].as_str(), "{user} {seq}");
        }
        let unknown = self.unknown.borrow().iter().filter(|it| **it == user).count();
        assert!(ids.len() <= answered.len() + unknown, "{user}: {}", ids.len());
        assert!(!answered.is_empty() && ids.len() <= 100, "{user}: one feed window");
    }
}
