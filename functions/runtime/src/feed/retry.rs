//! Repeats failed deliveries after the response: most outages of Redis are short, and the relay may
//! come only half a minute later, or never if no hub runs.
//!
//! One task per instance, a few attempts, a bounded number of users. All of it may be lost: the
//! relay delivers to the users that are still pending.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use shared::UserId;

use crate::feed::delivery::{DeliveryError, ensure};
use crate::ports::redis::{Redis, RedisError};
use crate::ports::sql::Sql;
use crate::record::Record;

/// Pauses before the attempts. After the last one the hub's subscription has noticed the outage and
/// calls the relay.
const WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1500), Duration::from_secs(4)];
/// Users that one instance remembers; each takes a millisecond or two.
const USERS_MAX: usize = 256;

/// The users of one instance whose deliveries failed.
#[derive(Default)]
pub struct Unsent {
    /// Epoch and newest undelivered seq of each user.
    users: RefCell<BTreeMap<UserId, (String, i64)>>,
    is_retried: Cell<bool>,
}

impl Unsent {
    /// Notes that entries up to `seq` were not delivered. Returns whether the caller must start
    /// [`Unsent::retry`]: true if it is not running.
    pub fn note(&self, user: &UserId, epoch: &str, seq: i64) -> bool {
        let mut users = self.users.borrow_mut();
        if users.len() >= USERS_MAX && !users.contains_key(user) {
            return false;
        }
        let known = users.entry(user.clone()).or_insert_with(|| (epoch.to_owned(), seq));
        if known.0 != epoch || known.1 < seq {
            *known = (epoch.to_owned(), seq);
        }
        !self.is_retried.replace(true)
    }

    /// Delivers the noted entries, including those noted meanwhile, until none is left or the last
    /// attempt has failed.
    pub async fn retry(
        &self,
        redis: &impl Redis,
        record: &Record<impl Sql>,
        sleep: impl AsyncFn(Duration),
    ) {
        for wait in WAITS {
            sleep(wait).await;
            if self.try_all(redis, record).await {
                break;
            }
        }
        self.users.borrow_mut().clear();
        self.is_retried.set(false);
    }

    /// Returns whether no note is left. Stops at the first call that Redis does not answer: the
    /// next one would only wait as long.
    async fn try_all(&self, redis: &impl Redis, record: &Record<impl Sql>) -> bool {
        loop {
            let Some((user, (epoch, seq))) = self.users.borrow_mut().pop_first() else {
                return true;
            };
            match ensure(redis, record, &user, &epoch, seq).await {
                // A key of the wrong type fails one user only.
                Ok(()) | Err(DeliveryError::Redis(RedisError::WrongType)) => {}
                Err(DeliveryError::Redis(_)) => {
                    // Keeps a newer note of this user.
                    self.users.borrow_mut().entry(user).or_insert((epoch, seq));
                    return false;
                }
                Err(DeliveryError::Record(_) | DeliveryError::Busy) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_is_asked_for_and_users_are_bounded() {
        let unsent = Unsent::default();
        let user = |at: usize| UserId::parse(&format!("u{at}")).unwrap();
        assert!(unsent.note(&user(0), "e", 5));
        assert!(!unsent.note(&user(0), "e", 4), "the task is running already");
        assert_eq!(unsent.users.borrow()[&user(0)], ("e".to_owned(), 5));
        for at in 0..2 * USERS_MAX {
            assert!(!unsent.note(&user(at), "e2", 1));
        }
        assert_eq!(unsent.users.borrow().len(), USERS_MAX);
        assert_eq!(unsent.users.borrow()[&user(0)], ("e2".to_owned(), 1));
    }
}
