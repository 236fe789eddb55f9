//! On one Redis each of these operations is one call, as it was before there were clusters.

use std::rc::Rc;
use std::time::Duration;

use runtime::cache::{Cache, How, Mode};
use runtime::ports::redis::Redis as _;
use runtime::push_tokens;
use support::RedisServer;

use super::cached::{TAGS, read};
use super::{NOW_MS, USERS, token, user};
use crate::models::cache_engine::{TokioHost, local};
use crate::models::record_model::redis::FaultyRedis;
use crate::models::record_model::sql::Database;

async fn calls(redis: &RedisServer) -> [u64; 2] {
    let scripts = redis.calls("evalsha").await + redis.calls("eval").await;
    // One that the server does not know yet is sent twice.
    let unknown = redis.calls("eval").await;
    [scripts - unknown, redis.calls("mget").await]
}

fn connect(connection: redis::aio::MultiplexedConnection) -> FaultyRedis {
    FaultyRedis::new(connection, Box::new(|| Duration::ZERO), Box::new(|| None))
}

#[tokio::test]
async fn one_call_for_all_users_and_for_all_tags() {
    let redis = RedisServer::start().await;
    let store = connect(redis.connection().await);
    assert!(!store.is_cluster());
    let dir = tempfile::tempdir().unwrap();
    let record = Database::sqlite(&dir.path().join("record.db")).record();
    record.migrate().await.unwrap();
    let wanted = (0..USERS).map(|at| (user(at), token(at))).collect();
    push_tokens::put(&store, &record, wanted, NOW_MS).await.unwrap();
    assert_eq!(calls(&redis).await, [1, 0]);
    let users: Vec<_> = (0..USERS).map(user).collect();
    let users: Vec<_> = users.iter().collect();
    push_tokens::in_redis_alone(&store, &users).await.unwrap();
    assert_eq!(calls(&redis).await, [2, 0]);

    let cache = Cache::new(Rc::new(connect(redis.connection().await)), TokioHost::new(1));
    local(async {
        redis.run::<()>("CONFIG RESETSTAT").await;
        // A script reads, another one writes.
        assert_eq!(read(&cache, "page", "1").await.how, How::Miss);
        assert_eq!(calls(&redis).await[0], 2);
        assert_eq!(read(&cache, "page", "1").await.how, How::Hit);
        assert_eq!(calls(&redis).await[0], 3);
        // The scripts call MGET, too.
        let [_, before] = calls(&redis).await;
        assert_eq!(read(&cache, "page", "1").await.how, How::Hit);
        assert_eq!(calls(&redis).await, [3, before + 1]);
        cache.invalidate_tags(&TAGS.map(str::to_owned), Mode::Hard).await.unwrap();
        assert_eq!(calls(&redis).await[0], 4);
    })
    .await;
}
