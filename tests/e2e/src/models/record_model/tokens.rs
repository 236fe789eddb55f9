//! Push tokens, also as devices: many at once with a Redis that fails now and then, and one call in between another.
//! When all is quiet, and what failed was repeated as clients would, Redis must say what the record
//! says, or nothing.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use runtime::ports::redis::{Arg, Redis as _};
use runtime::record::TokenRow;
use runtime::{devices, push_tokens};
use shared::device::{Address, Device};
use shared::json::Object;
use shared::{DeviceName, PushToken, UserId, keys};
use support::RedisServer;

use super::crowd::{Member, Server, on_each_database};
use super::overtaken::Interrupted;
use super::seed::{cases, seed};

const TASKS: u64 = 8;
const ACTIONS: u64 = 40;
const ROUNDS: u32 = 6;
const USERS: u64 = 4;
const TOKENS: u64 = 5;
const DEVICES: [&str; 2] = ["phone", DeviceName::DEFAULT];
const FAULT_RATE: u64 = 10;
const NOW_MS: i64 = 1_800_000_000_000;
/// Of a call that fails again and again.
const TRIES_MAX: usize = 20;

fn user(at: u64) -> UserId {
    UserId::parse(&format!("user{at}")).unwrap()
}

fn token(at: u64) -> PushToken {
    let body = format!("{{\"token\":\"token{at}\"}}");
    PushToken::require(&mut Object::parse(body.as_bytes()).unwrap(), "token").unwrap()
}

on_each_database!(tokens_at_once);

async fn tokens_at_once(server: &Server) {
    let redis = RedisServer::start().await;
    let seed = seed();
    let quiet = Member::join(server, &redis, seed, 0).await;
    quiet.record.migrate().await.unwrap();
    for round in 0..cases(ROUNDS) {
        let seed = seed.wrapping_add(u64::from(round) << 8);
        let tasks = (1..=TASKS).map(async |number| {
            let member = Member::join(server, &redis, seed + number, FAULT_RATE).await;
            for _ in 0..ACTIONS {
                act(&member).await;
                member.dawdle().await;
            }
        });
        join_all(tasks).await;
        let mut seen = BTreeSet::new();
        for at in 0..USERS {
            let row = check(&quiet, at).await;
            let row = row.unwrap_or_else(|error| panic!("BELLWIRE_MODEL_SEED={seed}: {error}"));
            let devices = quiet.record.addresses(&[user(at)]).await.unwrap().remove(0).devices;
            let default = devices.iter().find(|device| device.device == DeviceName::DEFAULT);
            assert_eq!(default.map(|device| device.rev), row.token.map(|_| row.rev));
            let mut tokens = devices.iter().map(|device| device.address["token"].to_string());
            let is_first = tokens.all(|token| seen.insert(token));
            assert!(is_first, "BELLWIRE_MODEL_SEED={seed}: two devices have one token");
        }
    }
}

/// One call, repeated until it is answered.
async fn act(member: &Member) {
    let (redis, record) = (&member.redis, &member.record);
    let (who, kind) = (user(member.pick(USERS)), member.pick(17));
    let pairs: Vec<(UserId, PushToken)> = (0..1 + member.pick(4))
        .map(|_| (user(member.pick(USERS)), token(member.pick(TOKENS))))
        .collect();
    for _ in 0..TRIES_MAX {
        let done = match kind {
            0..3 => {
                let own = pairs.iter().take(1).cloned().collect();
                push_tokens::put(redis, record, own, NOW_MS).await.map(drop)
            }
            3..5 => push_tokens::put(redis, record, pairs.clone(), NOW_MS).await.map(drop),
            5 => push_tokens::remove(redis, record, &who, NOW_MS).await,
            6 => push_tokens::erase(redis, record, &who, NOW_MS).await,
            7..9 => push_tokens::prune(redis, record, pairs.clone(), NOW_MS).await.map(drop),
            9 => {
                let key = keys::push_token(&who);
                redis.command("DEL", &[Arg::Text(&key)]).await.map(drop).map_err(Into::into)
            }
            10..14 => {
                let name = DeviceName::parse(DEVICES[usize::try_from(kind).unwrap() % 2]).unwrap();
                let address = Address::Fcm { token: pairs[0].1.clone() };
                let device = Device { address, locale: None, time_zone: None };
                devices::put(redis, record, &who, &name, &device, NOW_MS).await
            }
            14 => {
                let name = DeviceName::parse(DEVICES[0]).unwrap();
                devices::remove(redis, record, &who, &name, NOW_MS).await
            }
            _ => push_tokens::read(redis, record, &who).await.map(drop),
        };
        if done.is_ok() {
            return;
        }
    }
    panic!("a call failed {TRIES_MAX} times");
}

async fn check(quiet: &Member, at: u64) -> Result<TokenRow, String> {
    let who = user(at);
    let rows = quiet.record.tokens(&[&who]).await.map_err(|error| error.to_string())?;
    let row = rows.into_iter().next().ok_or("no row")?;
    let lies = in_redis(quiet, &who).await;
    if lies.is_some() && lies != row.token {
        return Err(format!("{who} has {lies:?} in Redis and {row:?} in the record"));
    }
    let answered = push_tokens::read(&quiet.redis, &quiet.record, &who).await.unwrap();
    if answered != row.token {
        return Err(format!("{who} is told {answered:?}, the record has {row:?}"));
    }
    Ok(row)
}

async fn in_redis(member: &Member, who: &UserId) -> Option<String> {
    let key = keys::push_token(who);
    let reply = member.redis.command("GET", &[Arg::Text(&key)]).await.unwrap();
    reply.first().and_then(runtime::ports::redis::Reply::text).map(str::to_owned)
}

/// A Redis, and Alice's token `token0` that only the record has.
async fn forgotten() -> (RedisServer, Server, Member) {
    let (redis, server) = (RedisServer::start().await, Server::sqlite());
    let member = Member::join(&server, &redis, 0, 0).await;
    member.record.migrate().await.unwrap();
    let own = vec![(user(0), token(0))];
    push_tokens::put(&member.redis, &member.record, own, NOW_MS).await.unwrap();
    redis.run::<()>("FLUSHALL").await;
    (redis, server, member)
}

/// Reads Alice's token; `first` happens after the record was read.
async fn read_with(member: &Member, first: impl Future<Output = ()>) -> Option<String> {
    let redis = Interrupted::before(2, &member.redis, first);
    let answered = push_tokens::read(&redis, &member.record, &user(0)).await.unwrap();
    assert!(redis.was_interrupted());
    answered
}

#[tokio::test]
async fn a_refill_that_a_delete_overtook_brings_nothing_back() {
    let (_redis, _server, member) = forgotten().await;
    let (redis, record) = (&member.redis, &member.record);
    let delete = async { push_tokens::remove(redis, record, &user(0), NOW_MS).await.unwrap() };
    // It was there when it was read.
    assert_eq!(read_with(&member, delete).await.as_deref(), Some("token0"));
    assert_eq!(in_redis(&member, &user(0)).await, None);
    assert_eq!(push_tokens::read(redis, record, &user(0)).await.unwrap(), None);
}

#[tokio::test]
async fn a_refill_that_a_move_overtook_brings_nothing_back() {
    let (_redis, _server, member) = forgotten().await;
    let (redis, record) = (&member.redis, &member.record);
    let own = vec![(user(1), token(0))];
    let moved = async { push_tokens::put(redis, record, own, NOW_MS).await.map(drop).unwrap() };
    assert_eq!(read_with(&member, moved).await.as_deref(), Some("token0"));
    assert_eq!(in_redis(&member, &user(0)).await, None);
    assert_eq!(in_redis(&member, &user(1)).await.as_deref(), Some("token0"));
}

#[tokio::test]
async fn a_refill_that_a_prune_overtook_brings_nothing_back() {
    let (_redis, _server, member) = forgotten().await;
    let (redis, record) = (&member.redis, &member.record);
    let dead = vec![(user(0), token(0))];
    let prune =
        async { assert_eq!(push_tokens::prune(redis, record, dead, NOW_MS).await.unwrap(), 1) };
    assert_eq!(read_with(&member, prune).await.as_deref(), Some("token0"));
    assert_eq!(in_redis(&member, &user(0)).await, None);
}

#[tokio::test]
async fn a_refill_that_a_put_overtook_answers_the_later_one() {
    let (_redis, _server, member) = forgotten().await;
    let (redis, record) = (&member.redis, &member.record);
    let own = vec![(user(0), token(1))];
    let put = async { push_tokens::put(redis, record, own, NOW_MS).await.map(drop).unwrap() };
    assert_eq!(read_with(&member, put).await.as_deref(), Some("token1"));
    assert_eq!(in_redis(&member, &user(0)).await.as_deref(), Some("token1"));
}

#[tokio::test]
async fn a_record_that_is_put_back_is_believed_again() {
    let (redis, server, member) = forgotten().await;
    let file = member.database.file().unwrap();
    let copy = file.save();
    let put = async |at: u64, now_ms: i64| {
        let own = vec![(user(0), token(at))];
        push_tokens::put(&member.redis, &member.record, own, now_ms).await.unwrap();
    };
    for at in 1..5 {
        put(at, NOW_MS).await;
    }
    file.restore(&copy);
    // Counted from the time, so that what was counted before is lower.
    put(9, NOW_MS + 1000).await;
    assert_eq!(in_redis(&member, &user(0)).await.as_deref(), Some("token9"));
    drop((redis, server));
}
