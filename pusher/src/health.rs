//! Whether the worker can work, for `/readyz`: functions and Redis answer, and no service refuses
//! its credential.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use native::functions::CallError;
use native::ops::Ready;
use native::redis::{Commands, Master, Watch};
use parking_lot::Mutex;
use push::metrics::{KINDS, Kind};
use push::outcome::Reason;
use redis::RedisError;
use shared::{Code, Error};

use crate::limits::STOP_WAIT;

/// A credential that is refused stays so for twice the time after which it is tried again.
const STOPPED_FOR: Duration = Duration::from_secs(2 * STOP_WAIT.as_secs());

/// Written by all tasks, read by `/readyz`.
#[derive(Debug, Default)]
pub(crate) struct Health {
    draining: AtomicBool,
    /// The functions' last answer: `None` before the first.
    functions: Mutex<Option<Result<(), String>>>,
    is_redis_away: AtomicBool,
    has_redis_answered: AtomicBool,
    /// They know the masters of a cluster. Weak, since they report to this.
    commands: OnceLock<Weak<Commands>>,
    /// Why the last command failed; not the address, which may contain a password.
    redis_problem: Mutex<String>,
    /// By kind: why its credential is refused, and until when that counts.
    stopped: Mutex<[Option<(Reason, Instant)>; KINDS.len()]>,
}

impl Health {
    /// The worker ends.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The functions answered, or did not. Logs the first failure and its end.
    pub(crate) fn functions(&self, answer: Result<(), &CallError>) {
        let mut known = self.functions.lock();
        let was_failing = matches!(*known, Some(Err(_)));
        match answer {
            Ok(()) if was_failing => tracing::info!("the functions answer again"),
            Err(error) if !was_failing => tracing::warn!(%error, "cannot call the functions"),
            _ => {}
        }
        *known = Some(answer.map_err(ToString::to_string));
    }

    /// A service refuses the credential. Logs it once.
    pub(crate) fn stopped(&self, kind: Kind, reason: Reason) {
        let mut stopped = self.stopped.lock();
        let Some(known) = stopped.get_mut(kind as usize) else { return };
        let now = Instant::now();
        if known.is_none_or(|(known, until)| known != reason || until < now) {
            tracing::error!(
                kind = kind.as_str(),
                reason,
                "a credential is refused: nothing is sent"
            );
        }
        *known = Some((reason, now + STOPPED_FOR));
    }

    /// A service accepted a push.
    pub(crate) fn accepted(&self, kind: Kind) {
        let mut stopped = self.stopped.lock();
        let Some(known) = stopped.get_mut(kind as usize) else { return };
        if known.take().is_some() {
            tracing::info!(kind = kind.as_str(), "pushes are accepted again");
        }
    }
}

impl Watch for Health {
    fn answered(&self) {
        self.has_redis_answered.store(true, Relaxed);
        if self.is_redis_away.swap(false, Relaxed) {
            tracing::info!("Redis answers again");
        }
    }

    fn connected(&self) {}

    fn lost(&self) {
        // Of several masters, others go on, and the connections themselves log it.
        if !self.has_several_masters() && !self.is_redis_away.swap(true, Relaxed) {
            tracing::warn!("Redis does not answer");
        }
    }

    fn closed(&self) {}
}

impl Health {
    pub(crate) fn set_commands(&self, commands: &Arc<Commands>) {
        let _ = self.commands.set(Arc::downgrade(commands));
    }

    /// A command failed, perhaps without a connection. Logs the first failure and its end.
    pub(crate) fn redis_failed(&self, error: &RedisError) {
        if !self.has_several_masters() && !self.is_redis_away.swap(true, Relaxed) {
            tracing::warn!(%error, "Redis does not answer");
        }
        *self.redis_problem.lock() = error.to_string();
    }

    fn commands(&self) -> Option<Arc<Commands>> {
        self.commands.get().and_then(Weak::upgrade)
    }

    fn has_several_masters(&self) -> bool {
        self.commands().is_some_and(|commands| !commands.topology().is_one())
    }
}

impl Ready for Health {
    fn ready(&self) -> Result<(), Error> {
        if self.draining.load(Relaxed) {
            return Err(Error::new(Code::NotReady, "the worker is shutting down"));
        }
        match &*self.functions.lock() {
            None => return Err(Error::new(Code::NotReady, "the functions have not answered yet")),
            Some(Err(problem)) => return Err(Error::new(Code::NotReady, problem.clone())),
            Some(Ok(())) => {}
        }
        let has_answered = self.has_redis_answered.load(Relaxed);
        if self.is_redis_away.load(Relaxed) || !has_answered {
            let problem = self.redis_problem.lock();
            let colon = if problem.is_empty() { "" } else { ": " };
            let detail = format!("Redis does not answer and campaigns wait{colon}{problem}");
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        if self.commands().is_some_and(|commands| !commands.topology().is_known()) {
            let detail = "no server names the masters of Redis: campaigns wait";
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let silent = self.commands().and_then(|commands| commands.silent_master());
        if let Some(Master { server, .. }) = silent {
            let detail = format!("Redis at {server} does not answer: campaigns wait");
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let now = Instant::now();
        for (kind, stopped) in KINDS.iter().zip(&*self.stopped.lock()) {
            if let Some((reason, until)) = stopped
                && *until > now
            {
                let detail = format!("{kind}: the credential is refused ({reason})");
                return Err(Error::new(Code::NotReady, detail));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_functions_and_redis_answer_and_credentials_are_accepted() {
        let health = Health::default();
        let problem = |health: &Health| health.ready().unwrap_err().to_string();
        assert!(problem(&health).contains("functions have not answered"));
        health.functions(Err(&CallError::NoToken));
        assert!(problem(&health).contains("token"));
        health.functions(Ok(()));
        assert!(problem(&health).contains("Redis"));
        health.answered();
        health.ready().unwrap();
        health.stopped(Kind::Fcm, "project_not_found");
        health.accepted(Kind::WebPush);
        assert!(problem(&health).contains("fcm: the credential is refused (project_not_found)"));
        health.accepted(Kind::Fcm);
        health.ready().unwrap();
        health.lost();
        assert!(problem(&health).contains("Redis"));
        let error = RedisError::from(std::io::Error::other("invalid peer certificate"));
        health.redis_failed(&error);
        assert!(problem(&health).contains("wait: invalid peer certificate"));
        health.answered();
        health.set_draining();
        assert!(problem(&health).contains("shutting down"));
    }
}
