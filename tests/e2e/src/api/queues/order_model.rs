//! Random sequences of calls on one queue, compared with a model that knows where each message is and in
//! which order. Whatever is due or over at the same moment comes in the order of the ids.

use std::collections::VecDeque;

use proptest::prelude::Rng as _;
use redis::aio::MultiplexedConnection;
use shared::script::Script;
use shared::{keys, script};
use support::RedisServer;

use crate::models::record_model::seed::{rng, seed};

const CASES: u64 = 20;
const STEPS: usize = 60;
const RECEIVES_MAX: u32 = 3;
/// Beyond it a call leaves something for the next one.
const RECOVER_MAX: usize = 30;

#[derive(Clone, Debug)]
struct Message {
    number: u32,
    /// Order of the id; 0 in the ready list.
    id: u32,
    attempt: u32,
}

#[derive(Default)]
struct Model {
    ready: VecDeque<Message>,
    retry: VecDeque<Message>,
    /// With the step that they were sent, received or died in.
    delayed: Vec<(usize, Message)>,
    in_flight: Vec<(usize, Message)>,
    dead: Vec<(usize, Message)>,
    last_id: u32,
}

fn by_moment(messages: &mut [(usize, Message)]) {
    messages.sort_by_key(|(step, message)| (*step, message.id));
}

impl Model {
    fn receive(&mut self, max: usize, step: usize) -> Vec<Message> {
        by_moment(&mut self.in_flight);
        for (_, message) in self.in_flight.drain(..RECOVER_MAX.min(self.in_flight.len())) {
            match message.attempt >= RECEIVES_MAX {
                true => self.dead.push((step, message)),
                false => self.retry.push_back(message),
            }
        }
        by_moment(&mut self.delayed);
        let due = self.delayed.drain(..RECOVER_MAX.min(self.delayed.len()));
        self.retry.extend(due.map(|(_, message)| message));
        let mut handed = Vec::new();
        while handed.len() < max {
            let Some(mut message) = self.retry.pop_front().or_else(|| self.ready.pop_front())
            else {
                break;
            };
            if message.id == 0 {
                self.last_id += 1;
                message.id = self.last_id;
            }
            message.attempt += 1;
            handed.push(message);
        }
        self.in_flight.extend(handed.iter().map(|message| (step, message.clone())));
        handed
    }
}

struct Queue {
    connection: MultiplexedConnection,
    steps: usize,
}

impl Queue {
    async fn run(&mut self, script: &Script, more: &[String], args: &[String]) -> Vec<String> {
        let mut command = redis::cmd("EVAL");
        command.arg(script.source).arg(9 + more.len()).arg(&keys::queue("work")).arg(more);
        command.arg(600).arg("0123456789abcdef").arg(args);
        command.query_async(&mut self.connection).await.unwrap()
    }

    async fn send(&mut self, delay_ms: u32, numbers: &[u32]) {
        let once = keys::once("work", &self.steps.to_string());
        let mut args = vec![delay_ms.to_string(), "60".to_owned(), "300".to_owned()];
        args.extend(numbers.iter().map(u32::to_string));
        self.run(&script::QUEUE_SEND, &[once], &args).await;
    }

    /// What was given 1 ms is over, and what comes next has a later moment.
    async fn next_moment(&mut self) {
        let now = async |connection: &mut MultiplexedConnection| {
            let time: (u64, u64) = redis::cmd("TIME").query_async(connection).await.unwrap();
            time.0 * 1000 + time.1 / 1000
        };
        let then = now(&mut self.connection).await;
        while now(&mut self.connection).await < then + 2 {}
        self.steps += 1;
    }
}

fn numbers_of(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.number.to_string()).collect()
}

async fn settle(queue: &mut Queue, script: &Script, args: &[&str], receipts: &[String]) {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let reply = queue.run(script, &[], &[args, receipts.to_vec()].concat()).await;
    assert_eq!(reply[0], receipts.len().to_string());
}

async fn case(connection: MultiplexedConnection, seed: u64) {
    let mut random = rng(seed);
    let mut pick = |below: u32| random.next_u32() % below;
    let (mut queue, mut model) = (Queue { connection, steps: 0 }, Model::default());
    let mut sent = 0;
    for step in 0..STEPS {
        queue.next_moment().await;
        let (dice, count) = (pick(10), 1 + pick(25));
        let fresh: Vec<u32> = (sent..sent + count).collect();
        match dice {
            0..2 => {
                queue.send(0, &fresh).await;
                let messages = fresh.iter().map(|&number| Message { number, id: 0, attempt: 0 });
                model.ready.extend(messages);
                sent += count;
            }
            2..4 => {
                queue.send(1, &fresh).await;
                for &number in &fresh {
                    model.last_id += 1;
                    let message = Message { number, id: model.last_id, attempt: 0 };
                    model.delayed.push((step, message));
                }
                sent += count;
            }
            4 => {
                let reply = queue.run(&script::QUEUE_REDRIVE, &[], &["500".to_owned()]).await;
                assert_eq!(reply, [model.dead.len().to_string()]);
                by_moment(&mut model.dead);
                let back = model.dead.drain(..).map(|(_, message)| message.number);
                model.ready.extend(back.map(|number| Message { number, id: 0, attempt: 0 }));
            }
            _ => {
                let max = count as usize;
                let expected = model.receive(max, step);
                let args = [max.to_string(), "1".to_owned(), RECEIVES_MAX.to_string()];
                let args = [&args[..], &[RECOVER_MAX.to_string(), "99999".to_owned()]].concat();
                let reply = queue.run(&script::QUEUE_RECEIVE, &[], &args).await;
                let bodies: Vec<String> = reply.iter().skip(1).step_by(2).cloned().collect();
                assert_eq!(bodies, numbers_of(&expected), "seed {seed}, step {step}");
                let receipts: Vec<String> = reply.into_iter().step_by(2).collect();
                let is_mine = |id: u32| expected.iter().any(|message| message.id == id);
                match pick(4) {
                    0 if !receipts.is_empty() => {
                        settle(&mut queue, &script::QUEUE_ACK, &[], &receipts).await;
                        model.in_flight.retain(|(_, message)| !is_mine(message.id));
                    }
                    1 if !receipts.is_empty() => {
                        settle(&mut queue, &script::QUEUE_NACK, &["0", "", "1"], &receipts).await;
                        model.in_flight.retain(|(_, message)| !is_mine(message.id));
                        model.dead.extend(expected.into_iter().map(|message| (step, message)));
                    }
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn every_receive_has_the_order_of_the_model() {
    let redis = RedisServer::start().await;
    for at in 0..CASES {
        redis.run::<()>("FLUSHALL").await;
        case(redis.connection().await, seed().wrapping_add(at)).await;
    }
}
