//! A steady stream of creates beside connected clients, and the check that every one of them
//! arrived: in the record, in the feed, and at its user's client once and in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::functions::titles;
use support::{Functions, Hub, RedisServer, Socket, eventually, eventually_within, token};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What is left arrives with the relay's next round at the latest, every 30 s.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(45);
/// A client waits this long for its next frame: an outage, and what comes late after it.
const FRAME_LIMIT: Duration = Duration::from_secs(75);
/// Creates under way at a time: on a machine that is too slow the pace falls, nothing piles up.
const CREATES_AT_ONCE: usize = 50;
const WINDOW: usize = 100;
/// The title after which a client hears no more.
const END: &str = "end";

/// Who creates how much.
pub struct Plan {
    /// Users who share the creates that nobody else gets, one after the other.
    pub users: usize,
    /// Every so many creates one is for the user `busy`; 0: none.
    pub busy_every: usize,
    pub creates_per_s: usize,
    pub length: Duration,
    /// After this every second user gets nothing any more: no later create carries along what is
    /// missing.
    pub rest_after: Duration,
}

/// The stream, with a `bellwire.v1` client per user.
pub struct Load<'a> {
    functions: &'a Functions,
    plan: Plan,
    clients: BTreeMap<String, Client>,
    /// Of every 201: the notification.
    answered: Mutex<BTreeMap<String, Vec<Value>>>,
    /// Creates whose outcome nobody told.
    unknown: Mutex<Unknown>,
}

#[derive(Default)]
struct Unknown {
    /// The host died.
    unanswered: usize,
    /// The record took too long, on a machine that is busy with other things: a 503.
    refused: usize,
}

/// A client that listens until the end.
struct Client {
    frames: Arc<Mutex<Vec<Value>>>,
    listening: JoinHandle<()>,
}

impl<'a> Load<'a> {
    /// Connects the clients.
    pub async fn prepare(functions: &'a Functions, hub: &Hub, plan: Plan) -> Self {
        let mut users: Vec<String> = (0..plan.users).map(|at| format!("u{at}")).collect();
        if plan.busy_every > 0 {
            users.push("busy".to_owned());
        }
        let mut clients = BTreeMap::new();
        for user in users {
            let socket = hub.connect(&user).await;
            let frames = Arc::default();
            let listening = tokio::spawn(listen(socket, Arc::clone(&frames)));
            clients.insert(user, Client { frames, listening });
        }
        Self { functions, plan, clients, answered: Mutex::default(), unknown: Mutex::default() }
    }

    /// Creates at an even pace, whatever the answers are, and waits for all of them.
    pub async fn run(&self) {
        let (begun, per_s) = (Instant::now(), self.plan.creates_per_s);
        let creates = self.plan.length.as_millis() as usize * per_s / 1000;
        let slots = Semaphore::new(CREATES_AT_ONCE);
        let create = async |at: usize| {
            let when = Duration::from_secs_f64(at as f64 / per_s as f64);
            sleep_until(begun + when).await;
            let _slot = slots.acquire().await.unwrap();
            self.create(&self.user(at, when), &format!("n{at}")).await;
        };
        join_all((0..creates).map(create)).await;
    }

    fn user(&self, at: usize, when: Duration) -> String {
        let Plan { users, busy_every, rest_after, .. } = self.plan;
        let at = match at.checked_rem(busy_every) {
            Some(0) => return "busy".to_owned(),
            Some(_) => at - at / busy_every - 1,
            None => at,
        };
        format!("u{}", (at % users) | usize::from(when >= rest_after))
    }

    async fn create(&self, user: &str, title: &str) {
        let body = json!({"userId": user, "title": title}).to_string();
        let call = self.functions.post("/notifications", body);
        let call = call.token(&token("a service", "notifications:write"));
        match call.try_send().await {
            Err(_) => self.unknown.lock().unwrap().unanswered += 1,
            Ok(answer) if answer.status == 503 => {
                answer.expect_problem(503, "record_unavailable");
                self.unknown.lock().unwrap().refused += 1;
            }
            Ok(answer) => {
                let notification = answer.expect(201).json();
                self.answered
                    .lock()
                    .unwrap()
                    .entry(user.to_owned())
                    .or_default()
                    .push(notification);
            }
        }
    }

    /// How many of a user's creates were answered `pending`.
    pub fn pending(&self, user: &str) -> usize {
        let answered = self.answered.lock().unwrap();
        let of_user = answered.get(user).into_iter().flatten();
        of_user.filter(|notification| notification["delivery"] == "pending").count()
    }

    /// How many creates got no answer: the host died.
    pub fn unanswered(&self) -> usize {
        self.unknown.lock().unwrap().unanswered
    }

    /// Waits until everything has arrived and checks it; `redis` is the one that serves now.
    /// Returns how often `busy` was told of a gap; nobody else may be.
    pub async fn check(mut self, redis: &RedisServer) -> usize {
        // By itself, without a create that carries along what is missing.
        for (user, client) in &self.clients {
            let newest = self.functions.record.seq(user);
            if newest == 0 {
                continue; // nothing that was begun for them was committed
            }
            eventually_within(ARRIVAL_LIMIT, &format!("{user} hears {newest}"), async || {
                let frames = client.frames.lock().unwrap();
                frames.iter().any(|frame| frame["notification"]["seq"] == newest).then_some(())
            })
            .await;
            eventually_within(ARRIVAL_LIMIT, &format!("{user} sees {newest}"), async || {
                let feed = self.functions.feed(user).await.expect(200).json();
                (feed["notifications"][0]["seq"] == newest).then_some(())
            })
            .await;
        }
        // After it nothing may come any more that came before.
        for user in self.clients.keys() {
            self.create(user, END).await;
        }
        let mut busy_gaps = 0;
        for (user, client) in std::mem::take(&mut self.clients) {
            let ids = self.functions.record.ids(&user);
            self.check_record(&user, &ids);
            client.listening.await.unwrap();
            let frames = std::mem::take(&mut *client.frames.lock().unwrap());
            let gaps = check_frames(&user, &frames, &ids);
            match user.as_str() {
                "busy" => busy_gaps = gaps,
                _ => assert_eq!(gaps, 0, "{user}: {frames:#?}"),
            }
            self.check_feed(redis, &user, &ids).await;
        }
        busy_gaps
    }

    /// `ids`: the record's, newest first. Every 201 is there under its seq.
    fn check_record(&self, user: &str, ids: &[String]) {
        let answered = self.answered.lock().unwrap();
        let answered = answered.get(user).expect("the end at least was answered");
        for notification in answered {
            let seq = notification["seq"].as_u64().unwrap() as usize;
            let id = ids.len().checked_sub(seq).and_then(|at| ids.get(at));
            assert_eq!(id.map(String::as_str), notification["id"].as_str(), "{user} {seq}");
        }
        // Whatever has an unknown outcome may be there too, and nothing else.
        let unknown = self.unknown.lock().unwrap();
        assert!(ids.len() <= answered.len() + unknown.unanswered + unknown.refused, "{user}");
    }

    async fn check_feed(&self, redis: &RedisServer, user: &str, ids: &[String]) {
        let newest = &ids[..ids.len().min(WINDOW)];
        let feed = self.functions.feed(user).await.expect(200).json();
        assert_eq!(ids_of(&feed), newest, "{user}");
        assert_eq!(titles(&feed)[0], END, "{user}");
        assert_eq!(feed["unread"], newest.len(), "{user}");
        // No load that is still under way may change that.
        let list = redis.list(&format!("notifications:{user}")).await;
        let in_list: Vec<Value> =
            list.iter().map(|element| serde_json::from_str(element).unwrap()).collect();
        assert_eq!(ids_of(&json!({"notifications": in_list})), newest, "{user}");
    }
}

fn ids_of(feed: &Value) -> Vec<&str> {
    let entries = feed["notifications"].as_array().unwrap();
    entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

async fn listen(mut socket: Socket, frames: Arc<Mutex<Vec<Value>>>) {
    let mut is_over = false;
    while !is_over {
        let frame: Value = serde_json::from_str(&socket.text_within(FRAME_LIMIT).await).unwrap();
        is_over = frame["notification"]["title"] == END;
        frames.lock().unwrap().push(frame);
    }
}

/// Every entry came once and in order, or was told to be missing. Returns how many gaps there were.
fn check_frames(user: &str, frames: &[Value], ids: &[String]) -> usize {
    let (mut last, mut gaps) = (0, 0);
    for frame in frames {
        if frame["type"] == "gap" {
            assert_eq!(frame["reason"], "missed", "{user}: {frame}");
            let seq = frame["seq"].as_u64().unwrap() as usize;
            assert!(seq > last, "{user}: {frame} after {last}");
            (last, gaps) = (seq, gaps + 1);
            continue;
        }
        let notification = &frame["notification"];
        assert_eq!(notification["seq"], last + 1, "{user}: {frame}");
        last += 1;
        assert_eq!(notification["id"], ids[ids.len() - last], "{user}: {frame}");
    }
    assert_eq!(last, ids.len(), "{user}");
    gaps
}

/// Waits until the relay has nothing left to do.
pub async fn until_nothing_is_pending(functions: &Functions) {
    eventually("nothing is pending", async || {
        let answer = functions.relay().await;
        (answer.status == 200 && answer.json()["pending"] == 0).then_some(())
    })
    .await;
}
