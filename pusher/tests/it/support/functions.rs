//! The functions' routes for the worker, in memory: jobs with leases and revisions as the record
//! has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::push_service::{Certificate, Protocol, PushService, Reply, Seen};

struct Job {
    json: Value,
    rev: i64,
    attempts: u32,
    done: Vec<Value>,
    due: Instant,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<(String, u64), Job>,
    /// Answers to lookups; without one, a user has one FCM device whose token is their id.
    users: BTreeMap<String, Value>,
    settled: Vec<Value>,
    pruned: Vec<Value>,
    /// Bodies of notifications, by idempotency key.
    created: BTreeMap<String, Value>,
    /// Notifications that were asked for, repeats too.
    creates: usize,
    stale: usize,
    is_away: bool,
    is_refusing: bool,
}

/// The functions; they end with the test.
pub struct Functions {
    service: PushService,
    state: Arc<Mutex<State>>,
}

impl Functions {
    pub async fn start(certificate: &Certificate) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let answering = state.clone();
        let service = PushService::start_with(certificate, Protocol::Plain, move |seen| {
            answering.lock().unwrap().answer(seen)
        })
        .await;
        Self { service, state }
    }

    pub fn url(&self) -> String {
        self.service.origin()
    }

    /// A job that is due now. `more` replaces members, such as `devices`.
    pub fn push(&self, user: &str, seq: u64, more: Value) {
        let mut job = json!({
            "userId": user, "seq": seq, "id": format!("n-{user}-{seq}"), "title": "Invoice paid",
            "body": "Your invoice was paid.", "createdAtMs": 1_700_000_000_000_u64,
            "ttlSeconds": 3600, "devices": [fcm("phone", user)],
        });
        for (name, value) in more.as_object().unwrap() {
            job[name] = value.clone();
        }
        let due = Instant::now();
        let job = Job { json: job, rev: 1, attempts: 0, done: Vec::new(), due };
        self.state.lock().unwrap().jobs.insert((user.to_owned(), seq), job);
    }

    /// Makes a job due that waits.
    pub fn make_due(&self, user: &str, seq: u64) {
        let mut state = self.state.lock().unwrap();
        state.jobs.get_mut(&(user.to_owned(), seq)).unwrap().due = Instant::now();
    }

    pub fn set_user(&self, user: &str, answer: Value) {
        self.state.lock().unwrap().users.insert(user.to_owned(), answer);
    }

    /// Answers 503 to everything.
    pub fn set_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    /// Answers 403 to everything.
    pub fn set_refusing(&self, is_refusing: bool) {
        self.state.lock().unwrap().is_refusing = is_refusing;
    }

    pub fn jobs_left(&self) -> usize {
        self.state.lock().unwrap().jobs.len()
    }

    /// Everything that was settled, in the order of arrival.
    pub fn settled(&self) -> Vec<Value> {
        self.state.lock().unwrap().settled.clone()
    }

    pub fn pruned(&self) -> Vec<Value> {
        self.state.lock().unwrap().pruned.clone()
    }

    pub fn created(&self) -> Vec<Value> {
        self.state.lock().unwrap().created.values().cloned().collect()
    }

    /// A notification that was created before, with another body.
    pub fn set_created(&self, key: &str) {
        let body = json!({"title": "as it was before"});
        self.state.lock().unwrap().created.insert(key.to_owned(), body);
    }

    pub fn creates(&self) -> usize {
        self.state.lock().unwrap().creates
    }

    pub fn stale(&self) -> usize {
        self.state.lock().unwrap().stale
    }
}

/// An FCM device.
pub fn fcm(device: &str, token: &str) -> Value {
    json!({"device": device, "kind": "fcm", "rev": 3, "token": token})
}

/// Results of the user `malformed` are; with them, the whole call is refused.
fn is_refused(body: &Value) -> bool {
    body["jobs"].as_array().unwrap().iter().any(|job| job["userId"] == "malformed")
}

impl State {
    fn answer(&mut self, seen: &Seen) -> Reply {
        if self.is_away {
            return Reply::status(503);
        }
        if self.is_refusing {
            return Reply::status(403);
        }
        assert_eq!(seen.headers["authorization"], "Bearer worker.token");
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        if seen.path == "/push/settle" && is_refused(&body) {
            return Reply::status(400);
        }
        let answer = match seen.path.as_str() {
            "/push/claim" => self.claim(&body),
            "/push/settle" => self.settle(&body),
            "/push/addresses" => self.addresses(&body),
            "/push/prune" => self.prune(&body),
            "/notifications/batch" => self.create(&body),
            path => panic!("{path} is not a route of the worker"),
        };
        Reply::json(200, &answer)
    }

    fn claim(&mut self, body: &Value) -> Value {
        let (max, lease_ms) = (body["max"].as_u64().unwrap(), body["leaseMs"].as_u64().unwrap());
        let now = Instant::now();
        let due = self.jobs.values_mut().filter(|job| job.due <= now);
        let claimed: Vec<Value> = due
            .take(usize::try_from(max).unwrap())
            .map(|job| {
                job.rev += 1;
                job.due = now + Duration::from_millis(lease_ms);
                let mut json = job.json.clone();
                json["rev"] = job.rev.into();
                json["attempts"] = job.attempts.into();
                json["done"] = job.done.clone().into();
                json
            })
            .collect();
        let next = self.jobs.values().map(|job| job.due).min();
        let next_ms = next.map(|due| due.saturating_duration_since(now).as_millis() as u64);
        json!({"jobs": claimed, "skipped": 0, "nextDueMs": next_ms})
    }

    fn settle(&mut self, body: &Value) -> Value {
        let jobs = body["jobs"].as_array().unwrap();
        let mut settled = 0;
        for job in jobs {
            let key = (job["userId"].as_str().unwrap().to_owned(), job["seq"].as_u64().unwrap());
            let Some(known) = self.jobs.get_mut(&key).filter(|known| known.rev == job["rev"])
            else {
                self.stale += 1;
                continue;
            };
            settled += 1;
            self.settled.push(job.clone());
            if job["result"] == "done" {
                self.jobs.remove(&key);
                continue;
            }
            assert_eq!(job["result"], "later");
            known.due = Instant::now() + Duration::from_millis(job["waitMs"].as_u64().unwrap());
            known.attempts += u32::from(job["counted"] != false);
            known.done.extend(job["done"].as_array().cloned().unwrap_or_default());
        }
        json!({"settled": settled, "stale": jobs.len() - settled})
    }

    fn addresses(&mut self, body: &Value) -> Value {
        let with_presence = body["presence"] == true;
        let users = body["userIds"].as_array().unwrap().iter().map(|user| {
            let id = user.as_str().unwrap();
            let mut answer = self
                .users
                .get(id)
                .cloned()
                .unwrap_or_else(|| json!({"push": true, "devices": [fcm("default", id)]}));
            answer["userId"] = id.into();
            if !with_presence {
                answer.as_object_mut().unwrap().remove("online");
            }
            answer
        });
        json!({"users": users.collect::<Vec<_>>()})
    }

    fn prune(&mut self, body: &Value) -> Value {
        let devices = body["devices"].as_array().unwrap();
        self.pruned.extend(devices.iter().cloned());
        json!({"deleted": devices.len()})
    }

    fn create(&mut self, body: &Value) -> Value {
        let results = body["notifications"].as_array().unwrap().iter().map(|item| {
            let key = item["idempotencyKey"].as_str().unwrap().to_owned();
            let id = format!("id-{}", item["userId"].as_str().unwrap());
            self.creates += 1;
            if self.created.entry(key).or_insert_with(|| item.clone()) != item {
                return json!({"status": 422, "error": {"code": "idempotency_mismatch"}});
            }
            json!({"status": 201, "notification": {"id": id}})
        });
        json!({"results": results.collect::<Vec<_>>()})
    }
}
