//! A stream of creates for many users, whose keys are on all masters.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use support::{Functions, RedisServer, eventually, token};

/// Creates under way at a time.
const WRITERS: usize = 8;
const WINDOW: usize = 100;

pub struct Stream<'a> {
    functions: &'a Functions,
    pub users: Vec<String>,
    next: AtomicUsize,
    /// Of every 201: seq and id.
    answered: Mutex<BTreeMap<String, BTreeMap<u64, String>>>,
    pending: AtomicUsize,
    slowest: Mutex<Duration>,
}

impl<'a> Stream<'a> {
    pub fn new(functions: &'a Functions, users: usize) -> Self {
        Self {
            functions,
            users: (0..users).map(|at| format!("u{at}")).collect(),
            next: AtomicUsize::new(0),
            answered: Mutex::default(),
            pending: AtomicUsize::new(0),
            slowest: Mutex::default(),
        }
    }

    /// Creates without a pause until `work` is done. Every create is answered 201.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let is_over = AtomicBool::new(false);
        let work = async {
            let result = work.await;
            is_over.store(true, Ordering::SeqCst);
            result
        };
        let write = async |_| {
            while !is_over.load(Ordering::SeqCst) {
                let at = self.next.fetch_add(1, Ordering::SeqCst);
                self.create(&self.users[at % self.users.len()]).await;
            }
        };
        join(work, join_all((0..WRITERS).map(write))).await.0
    }

    /// One more create for each user, which brings along what its feed lacks.
    pub async fn once_each(&self) {
        for user in &self.users {
            self.create(user).await;
        }
    }

    async fn create(&self, user: &str) {
        let begun = Instant::now();
        let body = json!({"userId": user, "title": "t"}).to_string();
        let call = self.functions.post("/notifications", body);
        let call = call.token(&token("a service", "notifications:write"));
        let created = call.send().await.expect(201).json();
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = begun.elapsed().max(*slowest);
        if created["delivery"] == "pending" {
            self.pending.fetch_add(1, Ordering::SeqCst);
        }
        let (seq, id) = (created["seq"].as_u64().unwrap(), created["id"].as_str().unwrap());
        let mut answered = self.answered.lock().unwrap();
        let earlier = answered.entry(user.to_owned()).or_default().insert(seq, id.to_owned());
        assert_eq!(earlier, None, "{user}: two of seq {seq}");
    }

    /// How many creates were answered, and how many of them `pending`.
    pub fn counts(&self) -> (usize, usize) {
        let answered = self.answered.lock().unwrap();
        (answered.values().map(BTreeMap::len).sum(), self.pending.load(Ordering::SeqCst))
    }

    /// The longest time of a create.
    pub fn slowest(&self) -> Duration {
        *self.slowest.lock().unwrap()
    }

    /// Waits until every feed, as answered and as `owner` of its key has it, has exactly the
    /// notifications that were answered 201, in order.
    pub async fn assert_whole<'b>(&self, owner: impl AsyncFn(&str) -> &'b RedisServer) {
        let answered = self.answered.lock().unwrap().clone();
        for (user, entries) in answered {
            let newest: Vec<String> = entries.into_values().rev().take(WINDOW).collect();
            let key = super::feed(&user);
            eventually(&format!("{user}'s feed is whole"), async || {
                let list = owner(&key).await.list(&key).await;
                let elements: Vec<Value> =
                    list.iter().map(|element| serde_json::from_str(element).unwrap()).collect();
                (ids(&elements) == newest).then_some(())
            })
            .await;
            let feed = self.functions.feed(&user).await.expect(200).json();
            assert_eq!(ids(feed["notifications"].as_array().unwrap()), newest, "{user}");
        }
    }
}

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}
