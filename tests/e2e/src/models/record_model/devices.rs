//! Devices in the record: addresses of many users in one statement, and removals that must not hit
//! what came later.

use runtime::record::{AddressedDevice, Addresses};
use shared::device::Device;
use shared::{DeviceName, Preferences, UserId};
use support::RedisServer;

use super::crowd::{Member, Server, on_each_database};
use super::sql::TestRecord;

const NOW_MS: i64 = 1_800_000_000_000;

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn name(name: &str) -> DeviceName {
    DeviceName::parse(name).unwrap()
}

fn device(json: &str) -> Device {
    Device::parse(json.as_bytes()).unwrap()
}

fn fcm(token: &str) -> Device {
    device(&format!(r#"{{"kind":"fcm","token":"{token}","locale":"de","timeZone":"UTC"}}"#))
}

async fn alone(server: &Server) -> (RedisServer, Member) {
    let redis = RedisServer::start().await;
    let member = Member::join(server, &redis, 0, 0).await;
    (redis, member)
}

async fn addresses(record: &TestRecord, who: &str) -> Vec<AddressedDevice> {
    let mut all = record.addresses(&[user(who)]).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0).devices
}

on_each_database!(addresses_of_many_users_are_read_in_their_order);

async fn addresses_of_many_users_are_read_in_their_order(server: &Server) {
    let (_redis, member) = alone(server).await;
    let record = &member.record;
    let token = record.put_device(&user("alice"), &name("phone"), &fcm("t"), NOW_MS).await;
    assert_eq!(token.unwrap(), Some(Vec::new()));
    let apns = device(r#"{"kind":"apns","token":"AB","topic":"a.b","environment":"sandbox"}"#);
    record.put_device(&user("alice"), &name("pad"), &apns, NOW_MS).await.unwrap().unwrap();
    let shared::device::Address::Fcm { token } = fcm("own").address else { panic!() };
    record.put_tokens(&[(user("bob"), Some(token))], NOW_MS).await.unwrap();
    let quiet = Preferences::parse(br#"{"push":false}"#).unwrap();
    record.put_preferences(&user("bob"), &quiet, NOW_MS).await.unwrap();

    let users = ["nobody", "bob", "alice", "bob"].map(user);
    let all: Vec<Addresses> = record.addresses(&users).await.unwrap();
    assert_eq!(all.iter().map(|one| one.user.clone()).collect::<Vec<_>>(), users);
    assert_eq!((all[0].devices.len(), &all[0].preferences), (0, &Preferences::default()));
    assert_eq!(all[1], all[3]);
    assert_eq!(all[1].preferences, quiet);
    let json = serde_json::to_value(&all[1].devices).unwrap();
    let own = serde_json::json!([
        {"device": "default", "kind": "fcm", "rev": NOW_MS, "token": "own"},
    ]);
    assert_eq!(json, own);
    let mut json = serde_json::to_value(&all[2].devices).unwrap();
    json.as_array_mut().unwrap().sort_by_key(|device| device["kind"].to_string());
    let expected = serde_json::json!([
        {"device": "pad", "kind": "apns", "rev": NOW_MS, "token": "ab", "topic": "a.b",
            "environment": "sandbox"},
        {"device": "phone", "kind": "fcm", "rev": NOW_MS, "token": "t", "locale": "de",
            "timeZone": "UTC"},
    ]);
    assert_eq!(json, expected);
    assert!(!format!("{all:?}").contains("own"), "an address is shown: {all:?}");
    assert_eq!(record.addresses(&[]).await.unwrap(), []);
}

on_each_database!(a_removal_does_not_hit_what_came_later);

async fn a_removal_does_not_hit_what_came_later(server: &Server) {
    let (_redis, member) = alone(server).await;
    let record = &member.record;
    let put = async |who: &str, token: &str, now_ms: i64| {
        let done = record.put_device(&user(who), &name("phone"), &fcm(token), now_ms).await;
        done.unwrap().unwrap();
        addresses(record, who).await[0].rev
    };
    let remove = async |who: &str, rev: i64| {
        record.remove_devices(&[(user(who), name("phone"), rev)]).await.unwrap()
    };
    let first = put("alice", "t1", NOW_MS).await;
    // Registered again, with the same address or another one, by a slower clock.
    let second = put("alice", "t1", NOW_MS - 5).await;
    let third = put("alice", "t2", NOW_MS - 5).await;
    assert!(first < second && second < third, "{first} {second} {third}");
    assert_eq!(remove("alice", first).await + remove("alice", second).await, 0);
    assert_eq!(addresses(record, "alice").await.len(), 1);
    // Moved to another user, removed, and registered anew.
    let theirs = put("bob", "t2", NOW_MS).await;
    assert_eq!(remove("alice", third).await, 0);
    assert_eq!(remove("bob", theirs + 1).await, 0);
    let dead = [("bob", theirs), ("alice", third), ("nobody", 1)];
    let dead = dead.map(|(who, rev)| (user(who), name("phone"), rev));
    assert_eq!(record.remove_devices(&dead).await.unwrap(), 1);
    assert_eq!(record.remove_devices(&dead).await.unwrap(), 0);
    put("bob", "t2", NOW_MS + 1).await;
    assert_eq!(record.remove_devices(&dead).await.unwrap(), 0);
    assert_eq!(record.remove_devices(&[]).await.unwrap(), 0);
}

on_each_database!(tables_are_made_and_remade_by_whoever_comes_first);

async fn tables_are_made_and_remade_by_whoever_comes_first(server: &Server) {
    let (_redis, member) = alone(server).await;
    // Nothing was migrated, and a second migration changes nothing.
    assert_eq!(addresses(&member.record, "alice").await, []);
    member.record.put_device(&user("alice"), &name("phone"), &fcm("t"), NOW_MS).await.unwrap();
    member.record.migrate().await.unwrap();
    assert_eq!(addresses(&member.record, "alice").await.len(), 1);
    member.database.remove().await;
    let preferences = member.record.preferences(&user("alice")).await.unwrap();
    assert_eq!(preferences, Preferences::default());
}
