//! One idempotency key, many callers at once: one of them commits, the others are told of it.

use futures_util::future::join_all;
use runtime::ports::sql::{Sql as _, Value};
use runtime::record::{Idempotency, NewEntry, Outcome};
use shared::UserId;
use shared::notification::Draft;
use support::RedisServer;

use super::crowd::{Member, Server, on_each_database};
use super::seed::{cases, seed, uuid_v7};

const TASKS: u64 = 16;
const ROUNDS: u32 = 12;
const NOW_MS: i64 = 1_800_000_000_000;

on_each_database!(one_key);

async fn one_key(server: &Server) {
    let (redis, seed) = (RedisServer::start().await, seed());
    let members = (0..TASKS).map(|number| Member::join(server, &redis, seed + number, 0));
    let members = join_all(members).await;
    members[0].record.migrate().await.unwrap();
    for round in 0..cases(ROUNDS) {
        race(&members, round).await;
    }
    let dense = format!(
        "SELECT count(*) FROM (SELECT user_id FROM {} GROUP BY user_id \
         HAVING count(*) <> max(seq)) AS holes",
        members[0].database.table("notifications")
    );
    let holes = members[0].database.query(&dense, Vec::new()).await.unwrap();
    assert_eq!(holes, [[Value::Int(0)]], "BELLWIRE_MODEL_SEED={seed}");
}

fn item(user: u64, key: Option<String>, body: u64) -> NewEntry {
    let draft = Draft {
        user_id: UserId::parse(&format!("user{user}")).unwrap(),
        title: format!("title {body}"),
        body: None,
        kind: None,
        data: None,
        expires_at_ms: None,
    };
    let request_hash = format!("{user} {body}");
    let idempotency = key.map(|key| Idempotency { key, request_hash });
    NewEntry { draft, id: uuid_v7(NOW_MS), created_at_ms: NOW_MS, idempotency, push: None }
}

#[tokio::test]
async fn many_keys_in_crossing_orders() {
    let (redis, seed) = (RedisServer::start().await, seed());
    let server = Server::postgres().await;
    let members =
        join_all((0..4).map(|number| Member::join(&server, &redis, seed + number, 0))).await;
    members[0].record.migrate().await.unwrap();
    for round in 0..cases(ROUNDS) {
        let calls = members.iter().zip(0..).map(async |(member, number)| {
            let key = |at: u64| Some(format!("key {round} {at}"));
            // Users of their own, so that nothing keeps the calls apart.
            let mut items: Vec<_> = (0..200).map(|at| item(number, key(at), 0)).collect();
            if number % 2 == 1 {
                items.reverse();
            }
            let created = member.record.create(&items, 0).await;
            let outcomes =
                created.unwrap_or_else(|error| panic!("round {round}: {error}")).outcomes;
            outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created { .. })).count()
        });
        assert_eq!(join_all(calls).await.into_iter().sum::<usize>(), 200, "round {round}");
    }
}

/// Two keys, alone and in batches, in both orders, for the same and for different users.
async fn race(members: &[Member], round: u32) {
    let key = |number: u64| Some(format!("key {round} {number}"));
    let calls = members.iter().map(async |member| {
        member.dawdle().await;
        let (user, body) = (member.pick(3), member.pick(2));
        let items = match member.pick(4) {
            0 => vec![item(user, key(0), body)],
            1 => vec![item(user, key(0), body), item(user, key(1), body)],
            2 => vec![item(user, key(1), body), item(user, None, body), item(user, key(0), body)],
            _ => vec![item(user, key(1), body)],
        };
        let created = member.record.create(&items, 0).await;
        let created = created.unwrap_or_else(|error| panic!("round {round}: {error}"));
        items.into_iter().zip(created.outcomes).collect::<Vec<_>>()
    });
    let done: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
    for number in 0..2 {
        let of_key = done.iter().filter(|(item, _)| {
            item.idempotency.as_ref().map(|known| &known.key) == key(number).as_ref()
        });
        let (winners, losers): (Vec<_>, Vec<_>) =
            of_key.partition(|(_, outcome)| matches!(outcome, Outcome::Created { .. }));
        if losers.is_empty() && winners.is_empty() {
            continue;
        }
        let [(won, Outcome::Created { seq: won_seq, .. })] = winners[..] else {
            panic!("round {round}: {winners:?}");
        };
        for (item, outcome) in losers {
            let is_same = item.idempotency.as_ref().unwrap().request_hash
                == won.idempotency.as_ref().unwrap().request_hash;
            match outcome {
                Outcome::Replayed { id, seq, is_deleted: false, .. } if is_same => {
                    assert_eq!((id, seq), (&won.id, won_seq), "round {round}");
                }
                Outcome::Mismatch if !is_same => {}
                other => panic!("round {round}: {item:?} became {other:?}, {won:?} won"),
            }
        }
    }
}
