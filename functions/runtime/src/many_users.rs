//! One script for many users: one call on one Redis. On a cluster one call for the users of each
//! server, and then one for each user whom a server did not have.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use shared::script::Script;

use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// Users asked for at the same time one by one: bounds memory, and the burst at a server.
const ALONE_AT_ONCE: usize = 32;

/// A call of a script for many users. Its header says: KEYS are two keys per user, ARGV begins with
/// `fixed` and has the same number of arguments for each user after that; keys at the end of ARGV
/// stand for users whose keys are in other slots. It replies the same number of elements per user,
/// the first of them nil for a user whom this server does not have.
pub(crate) struct ManyUsers<'a> {
    pub(crate) script: &'static Script,
    /// Each user's keys, which are in one slot.
    pub(crate) keys: Vec<[String; 2]>,
    pub(crate) fixed: Vec<Arg<'a>>,
    /// Each user's arguments, one user after the other.
    pub(crate) each: Vec<Arg<'a>>,
    pub(crate) replies_each: usize,
}

/// The reply for one user.
pub(crate) type UserReply = Result<Vec<Reply>, RedisError>;

impl ManyUsers<'_> {
    /// Runs the script; returns each user's part of the reply, in their order.
    pub(crate) async fn run(&self, redis: &impl Redis) -> Vec<UserReply> {
        let all: Vec<usize> = (0..self.keys.len()).collect();
        let replies = if redis.is_cluster() && all.len() > 1 {
            self.by_server(redis, &all).await
        } else {
            let keys: Vec<String> = self.keys.iter().flatten().cloned().collect();
            let reply = redis.eval(self.script, &keys, &self.args(&all)).await;
            reply.and_then(|reply| self.split(reply, all.len()))
        };
        replies.unwrap_or_else(|error| failed(&error, all.len()))
    }

    /// As [`ManyUsers::run`], if it succeeded for all users.
    ///
    /// # Errors
    /// The first user's [`RedisError`]; the call may have taken effect for others.
    pub(crate) async fn run_all(&self, redis: &impl Redis) -> Result<Vec<Vec<Reply>>, RedisError> {
        self.run(redis).await.into_iter().collect()
    }

    async fn by_server(
        &self,
        redis: &impl Redis,
        all: &[usize],
    ) -> Result<Vec<UserReply>, RedisError> {
        let first_keys: Vec<&str> = self.keys.iter().map(|[key, _]| key.as_str()).collect();
        let groups = redis.by_server(&first_keys).await?;
        let mut replies: BTreeMap<usize, UserReply> = BTreeMap::new();
        for (group, parts) in join_all(groups.iter().map(|group| self.group(redis, group))).await {
            // If the first user's slot moves for long, the others need not wait for it.
            let is_held_up = group.len() > 1 && parts.iter().all(is_moving);
            let found =
                group.iter().zip(parts).filter(|(_, part)| !is_held_up && !is_elsewhere(part));
            replies.extend(found.map(|(at, part)| (*at, part)));
        }
        let left: Vec<[usize; 1]> =
            all.iter().filter(|user| !replies.contains_key(user)).map(|user| [*user]).collect();
        for some in left.chunks(ALONE_AT_ONCE) {
            for (user, parts) in join_all(some.iter().map(|user| self.group(redis, user))).await {
                replies.extend(user.iter().copied().zip(parts));
            }
        }
        let malformed = || Err(RedisError::Malformed(self.script.name));
        Ok(all.iter().map(|user| replies.remove(user).unwrap_or_else(malformed)).collect())
    }

    /// Asks one server for these users: the first one's keys, which tell the server, are KEYS.
    async fn group<'g>(
        &self,
        redis: &impl Redis,
        users: &'g [usize],
    ) -> (&'g [usize], Vec<UserReply>) {
        let mut keys = users.iter().filter_map(|user| self.keys.get(*user));
        let first = keys.next().map_or(&[][..], |pair| &pair[..]);
        let mut args = self.args(users);
        args.extend(keys.flatten().map(|key| Arg::Text(key)));
        let parts = match redis.eval(self.script, first, &args).await {
            Ok(reply) => self.split(reply, users.len()),
            Err(error) => Err(error),
        };
        (users, parts.unwrap_or_else(|error| failed(&error, users.len())))
    }

    fn args(&self, users: &[usize]) -> Vec<Arg<'_>> {
        let width = self.each.len() / self.keys.len().max(1);
        let of_user = |user: &usize| self.each.get(user * width..(user + 1) * width);
        let each = users.iter().filter_map(of_user).flatten();
        self.fixed.iter().chain(each).copied().collect()
    }

    fn split(&self, reply: Vec<Reply>, users: usize) -> Result<Vec<UserReply>, RedisError> {
        if reply.len() != users * self.replies_each {
            return Err(RedisError::Malformed(self.script.name));
        }
        Ok(reply.chunks(self.replies_each.max(1)).map(|part| Ok(part.to_vec())).collect())
    }
}

fn failed(error: &RedisError, users: usize) -> Vec<UserReply> {
    (0..users).map(|_| Err(error.clone())).collect()
}

fn is_elsewhere(reply: &UserReply) -> bool {
    matches!(reply.as_deref(), Ok([Reply::Nil, ..]))
}

/// Whether the call was given up because a slot moves.
fn is_moving(reply: &UserReply) -> bool {
    let (Err(RedisError::Unavailable(text)) | Err(RedisError::Refused(text))) = reply else {
        return false;
    };
    text.to_ascii_uppercase().contains("TRYAGAIN")
}
