//! The plan against a model of Redis.

mod world;

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use shared::cluster::slot_of;
use shared::keys::live_channel;

use self::world::{World, user};
use crate::channels::link::LinkId;
use crate::channels::status::Unheard;
use crate::limits::{LINK_CHANNELS_MAX, LINK_UNANSWERED_MAX};
use crate::metrics::Cause;
use crate::redis::pubsub_parser::Reply;

#[derive(Clone, Debug)]
enum Step {
    Want(usize),
    Unwant(usize),
    Work,
    Execute(usize),
    Receive(usize),
    Lose(usize),
    Move(usize, u16),
    SetMap,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_usize).prop_map(Step::Want),
        4 => (0..12_usize).prop_map(Step::Unwant),
        8 => Just(Step::Work),
        8 => (0..4_usize).prop_map(Step::Execute),
        8 => (0..4_usize).prop_map(Step::Receive),
        1 => (0..4_usize).prop_map(Step::Lose),
        3 => (0..12_usize, 1..=3_u16).prop_map(|(n, to)| Step::Move(n, to)),
        1 => Just(Step::SetMap),
        2 => (0..40_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn every_order_of_events_ends_with_the_right_channels(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new();
        for step in steps {
            let link = |n: usize| {
                let ids: Vec<LinkId> = world.redis.links.keys().copied().collect();
                ids.get(n % ids.len().max(1)).copied().unwrap_or(0)
            };
            match step {
                Step::Want(n) => world.want(n),
                Step::Unwant(n) => world.unwant(n),
                Step::Work => world.work(),
                Step::Execute(n) => { let id = link(n); world.redis.execute(id); }
                Step::Receive(n) => { let id = link(n); world.receive(id); }
                Step::Lose(n) => { let id = link(n); world.lose(id); }
                Step::Move(n, to) => world.redis.move_slot(slot_of(&live_channel(&user(n))), to),
                Step::SetMap => world.set_map(),
                Step::Pass(seconds) => world.now += Duration::from_secs(seconds),
            }
        }
        world.settle();
        world.check();
    }
}

#[test]
fn a_user_who_returns_within_the_linger_costs_nothing() {
    let mut world = World::new();
    world.want(1);
    world.settle();
    world.unwant(1);
    world.now += Duration::from_secs(29);
    assert!(world.plan.want(&user(1), world.now).is_joined);
    assert!(world.plan.work(world.now).write.is_empty());
    // Nor does it end 30 s after the first time.
    world.now += Duration::from_secs(2);
    assert!(world.plan.work(world.now).write.is_empty());
}

#[test]
fn connections_have_a_bounded_number_of_channels_and_close_when_empty() {
    let mut world = World::new();
    let count = LINK_CHANNELS_MAX * 3 + 300;
    for n in 0..count {
        world.want(n);
    }
    world.settle();
    // The last servers' connections may have room for the rest of all three.
    assert!((4..=6).contains(&world.redis.links.len()), "{}", world.redis.links.len());
    for line in world.redis.links.values() {
        assert!(line.channels.len() <= LINK_CHANNELS_MAX + 1);
    }
    for n in 0..count {
        world.unwant(n);
    }
    for _ in 0..3 {
        world.settle();
    }
    world.check();
    assert_eq!(world.redis.links.len(), 3);
}

#[test]
fn a_hub_that_ends_leaves_everything_in_pages() {
    let mut world = World::new();
    for n in 0..3_000 {
        world.want(n);
    }
    world.settle();
    for n in 0..1_000 {
        world.unwant(n);
    }
    world.plan.drain();
    world.plan.leave_all();
    assert!(!world.plan.is_empty());
    world.settle();
    assert!(world.plan.is_empty());
    assert!(world.redis.links.values().all(|line| line.channels.len() == 1), "all but the probe");
}

#[test]
fn what_redis_rejects_is_tried_again_slowly_and_reported() {
    let mut world = World::new();
    for n in 0..3_000 {
        world.want(n);
    }
    world.work();
    let mut sent = 0;
    let denied = "NOPERM this user has no permissions to access one of the channels";
    for _ in 0..100 {
        world.now += Duration::from_millis(100);
        world.work();
        for id in world.redis.links.keys().copied().collect::<Vec<_>>() {
            let line = world.redis.links.get_mut(&id).unwrap();
            for (name, word) in std::mem::take(&mut line.commands) {
                let reply = match name.as_str() {
                    "PING" => Reply::Pong(Bytes::from(word)),
                    _ => Reply::Error(denied.to_owned()),
                };
                sent += usize::from(name != "PING");
                line.replies.push_back(reply);
            }
            while !world.redis.links[&id].replies.is_empty() {
                world.receive(id);
            }
        }
    }
    let unheard = world.plan.unheard().unwrap();
    assert!(matches!(&unheard, Unheard::Rejected(_, text) if text == denied), "{unheard:?}");
    // A full page for each server, and then few.
    assert!(sent < 3 * (LINK_UNANSWERED_MAX + 1) + 3 * 150, "{sent}");
    world.settle();
    world.check();
}

#[test]
fn a_user_whose_server_is_away_does_not_wait() {
    let mut world = World::new();
    world.work();
    let first = *world.redis.links.keys().next().unwrap();
    let server = world.redis.links[&first].server;
    world.lose(first);
    let here = (0..).find(|n| world.redis.owner(slot_of(&live_channel(&user(*n)))) == server);
    let there = (0..).find(|n| world.redis.owner(slot_of(&live_channel(&user(*n)))) != server);
    let (here, there) = (here.unwrap(), there.unwrap());
    world.want(here);
    world.want(there);
    assert_eq!(world.plan.work(world.now).late, [user(here)]);
    world.now += Duration::from_secs(2);
    assert_eq!(world.plan.work(world.now).late, [user(there)]);
}

#[test]
fn the_cause_tells_how_a_channel_was_lost() {
    let mut world = World::new();
    world.want(1);
    world.settle();
    let id = world.plan.links.iter().find(|(_, link)| link.assigned == 1).map(|(id, _)| *id);
    let lost = world.plan.lost(id.unwrap(), world.now);
    world.redis.links.remove(&id.unwrap());
    assert_eq!((lost.len(), lost[0].cause, lost[0].hearing.is_joined), (1, Cause::Closed, false));
    world.settle();
    let slot = slot_of(&live_channel(&user(1)));
    let to = world.redis.owner(slot) % 3 + 1;
    world.redis.move_slot(slot, to);
    let id = world.redis.links.iter().find(|(_, line)| !line.replies.is_empty()).map(|it| *it.0);
    let reply = world.redis.links.get_mut(&id.unwrap()).unwrap().replies.pop_front().unwrap();
    let news = world.plan.replied(id.unwrap(), &reply, world.now).unwrap();
    assert_eq!((news.cause, news.hearing.is_joined), (Cause::Moved, false));
}
