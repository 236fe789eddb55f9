//! Reads many keys at once with plain commands: one `MGET` on one Redis, one script for each server
//! of a cluster, where no command reaches two slots.

use futures_util::future::{join, join_all};
use shared::script;

use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// A key's text.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) reply: Reply,
    /// The time of the key's server, from within the read; `None` if it was not asked for.
    pub(super) now_ms: Option<i64>,
}

/// The texts of `keys`, in their order. A cluster always tells its time, one Redis if `with_time`
/// says so, which is a second command at the same moment.
pub(super) async fn read(
    store: &impl Redis,
    keys: &[&str],
    with_time: bool,
) -> Vec<Result<Found, RedisError>> {
    let all = match store.is_cluster() {
        true => by_server(store, keys).await,
        false => on_one(store, keys, with_time).await.map(|found| found.map(Ok).collect()),
    };
    all.unwrap_or_else(|error| keys.iter().map(|_| Err(error.clone())).collect())
}

async fn on_one(
    store: &impl Redis,
    keys: &[&str],
    with_time: bool,
) -> Result<impl Iterator<Item = Found>, RedisError> {
    let args: Vec<Arg<'_>> = keys.iter().map(|key| Arg::Text(key)).collect();
    let values = store.command("MGET", &args);
    // Whichever of the two Redis runs first: both are within this read.
    let (time, values) = match with_time {
        true => join(store.command("TIME", &[]), values).await,
        false => (Ok(Vec::new()), values.await),
    };
    let (now_ms, values) = (time_ms(&time?), values?);
    if values.len() != keys.len() {
        return Err(RedisError::Malformed("MGET"));
    }
    Ok(values.into_iter().map(move |reply| Found { reply, now_ms }))
}

/// The reply to `TIME`: seconds, and microseconds of the second.
fn time_ms(reply: &[Reply]) -> Option<i64> {
    let (seconds, micros) = (reply.first()?.int()?, reply.get(1)?.int()?);
    seconds.checked_mul(1000)?.checked_add(micros / 1000)
}

async fn by_server(
    store: &impl Redis,
    keys: &[&str],
) -> Result<Vec<Result<Found, RedisError>>, RedisError> {
    let groups = store.by_server(keys).await?;
    let nothing = Err(RedisError::Malformed(script::CACHE_PEEK.name));
    let mut all = vec![nothing; keys.len()];
    let reads =
        groups.iter().map(|group| async move { (group, on_server(store, keys, group).await) });
    for (group, found) in join_all(reads).await {
        let found = found.unwrap_or_else(|error| vec![Err(error); group.len()]);
        for (at, found) in group.iter().zip(found) {
            if let Some(place) = all.get_mut(*at) {
                *place = found;
            }
        }
    }
    Ok(all)
}

/// Asks the server of the group's first key for all of them.
async fn on_server(
    store: &impl Redis,
    keys: &[&str],
    group: &[usize],
) -> Result<Vec<Result<Found, RedisError>>, RedisError> {
    let mut keys = group.iter().filter_map(|at| keys.get(*at).copied());
    let first: Vec<String> = keys.next().into_iter().map(str::to_owned).collect();
    let others: Vec<Arg<'_>> = keys.map(Arg::Text).collect();
    let mut reply = store.eval(&script::CACHE_PEEK, &first, &others).await?.into_iter();
    let now_ms = reply.next().as_ref().and_then(Reply::int);
    if now_ms.is_none() || reply.len() != group.len() {
        return Err(RedisError::Malformed(script::CACHE_PEEK.name));
    }
    Ok(reply.map(|reply| Ok(Found { reply, now_ms })).collect())
}
