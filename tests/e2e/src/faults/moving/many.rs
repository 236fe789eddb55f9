//! Calls for several users, whose keys are in several slots: each user is served, or named as one who
//! has to be asked for alone, with nothing written.

use redis::Value;
use shared::script::{self, Script};
use shared::{UserId, keys};

use super::super::refused::{Call, Case, call};
use super::{Bench, Way, node_of};

type KeysOf = fn(&UserId) -> [String; 2];

fn feed(user: &UserId) -> [String; 2] {
    [keys::feed(user), keys::feed_companion(user)]
}

fn token(user: &UserId) -> [String; 2] {
    [keys::push_token(user), keys::push_token_companion(user)]
}

/// Two users on the first node, in different slots, and one on another node.
fn users(of: KeysOf) -> [[String; 2]; 3] {
    let all = (10..).map(|at| of(&UserId::parse(&format!("u{at}")).unwrap()));
    let (here, away): (Vec<_>, Vec<_>) = all.take(20).partition(|keys| node_of(&keys[0]) == 0);
    [here[0].clone(), here[1].clone(), away[0].clone()]
}

/// The call with the first user's keys as KEYS and the others' behind the arguments, as
/// `runtime::many_users` makes it.
fn call_for(script: &'static Script, users: &[[String; 2]], args: &[&str]) -> Call {
    let mut call = call(script, &users[0], args);
    call.args.extend(users[1..].iter().flatten().cloned());
    call
}

struct Kind {
    script: &'static Script,
    keys: KeysOf,
    /// The arguments of the call, then those of three users.
    args: Vec<&'static str>,
    before: &'static Script,
    before_args: &'static [&'static str],
    /// For each user.
    answer: &'static [&'static str],
}

/// Of a user whose id is as long as all of them are.
const ELEMENT: &str = "{\"id\":\"018f0000-0000-7000-8000-000000000001\",\"userId\":\"u10\",\"seq\":1,\
     \"title\":\"t\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}";
const LOAD: &[&str] =
    &["load", "e", "0", "0", "3", "600", "1", "1", "", "notifications", "1", ELEMENT, "0"];
const NEXT: &str = "{\"id\":\"018f0000-0000-7000-8000-000000000002\",\"userId\":\"u10\",\"seq\":2,\
     \"title\":\"t\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}";
const PUSH: &[&str] = &["push", "1", "0", "notifications", "2", NEXT, "0"];
const SET: &[&str] = &["600", "600", "60", "set", "4", "old"];

fn kinds() -> [Kind; 5] {
    let of_tokens = |script, args: &[&'static str], answer| Kind {
        script,
        keys: token,
        args: args.to_vec(),
        before: &script::TOKEN_WRITE,
        before_args: SET,
        answer,
    };
    let set = &["600", "600", "60", "set", "5", "a", "set", "5", "a", "set", "5", "a"];
    let refill = &["600", "600", "60", "5", "a", "5", "a", "5", "a"];
    [
        Kind {
            script: &script::FEED_HEADS,
            keys: feed,
            args: vec!["e"],
            before: &script::FEED_PUSH,
            before_args: LOAD,
            answer: &["1"],
        },
        Kind {
            script: &script::FEED_PUSH_MANY,
            keys: feed,
            args: [&["e", "3", "600"], PUSH, PUSH, PUSH].concat(),
            before: &script::FEED_PUSH,
            before_args: LOAD,
            answer: &["ok", "2"],
        },
        of_tokens(&script::TOKEN_READ, &["600"], &["0", "old"]),
        of_tokens(&script::TOKEN_REFILL, refill, &["old"]),
        of_tokens(&script::TOKEN_WRITE, set, &["1"]),
    ]
}

fn texts(reply: Value) -> Vec<Option<String>> {
    redis::from_redis_value(reply).unwrap()
}

#[tokio::test]
async fn a_user_of_another_slot_is_served_or_named() {
    let bench = Bench::start().await;
    for kind in kinds() {
        let users = users(kind.keys);
        let before = users.iter().map(|keys| call(kind.before, keys, kind.before_args)).collect();
        let case = Case::new(kind.script.name, before, call_for(kind.script, &users, &kind.args));
        let is_served = |reply: &[Option<String>], user: usize| {
            let part = reply.chunks(kind.answer.len()).nth(user).unwrap();
            let answer: Vec<_> = part.iter().map(Option::as_deref).collect();
            let expected: Vec<_> = kind.answer.iter().map(|text| Some(*text)).collect();
            assert!(answer[0].is_none() || answer == expected, "{}: {answer:?}", kind.script.name);
            answer[0].is_some()
        };
        bench.prepare(&case).await;
        let reply = texts(bench.eval(0, &case.call, false).await.unwrap());
        let served: Vec<bool> = (0..3).map(|user| is_served(&reply, user)).collect();
        assert_eq!(served, [true, true, false], "{}", kind.script.name);

        for (moving, is_moved) in [(0, false), (0, true), (1, false), (1, true)] {
            bench.prepare(&case).await;
            let way = Way::of(&users[moving][0]);
            let moved = if is_moved { &users[moving][..1] } else { &[] };
            let migration = bench.migrate(way, moved).await;
            let untouched = bench.bytes(way).await;
            let answer = bench.eval(0, &case.call, false).await;
            let what = format!("{}, user {moving} moves, {is_moved}", kind.script.name);
            // A read needs the keys, and nothing else of the slot.
            let is_read = ["feed_heads", "token_read"].contains(&kind.script.name);
            match answer {
                Ok(reply) => {
                    let reply = texts(reply);
                    let served: Vec<bool> = (0..3).map(|user| is_served(&reply, user)).collect();
                    let is_there = is_read && !is_moved;
                    let expected = [moving != 0 || is_there, moving != 1 || is_there, false];
                    assert_eq!(served, expected, "{what}");
                }
                Err(error) => assert_eq!((moving, error.code()), (0, Some("TRYAGAIN")), "{what}"),
            }
            if !is_read {
                assert!(bench.bytes(way).await == untouched, "{what}");
            }
            migration.abandon().await;
        }
    }
}
