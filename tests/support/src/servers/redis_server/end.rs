//! The end of a test's Redis: it must hold no key without an expiry, unless the test expects that.

use std::time::Duration;

use super::RedisServer;

impl RedisServer {
    fn keys_without_expiry(&self) -> redis::RedisResult<Vec<String>> {
        let mut connection = self.client().get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection)?;
        let foreign = self.foreign.lock().unwrap();
        let mut eternal = Vec::new();
        for key in keys {
            let ttl: redis::RedisResult<i64> = redis::cmd("TTL").arg(&key).query(&mut connection);
            // A replica's keys are its master's.
            let is_elsewhere = ttl.as_ref().is_err_and(|error| error.redirect_node().is_some());
            let ttl = if is_elsewhere { -2 } else { ttl? };
            // -2: it expired in the meantime, or another node of the cluster has it.
            if ttl == -1 && key != shared::keys::ONLINE_USERS && !foreign.contains(&key) {
                eternal.push(key);
            }
        }
        Ok(eternal)
    }
}

/// Signals that may interrupt the last question: more than a test has processes.
const SIGNALS_MAX: usize = 20;

impl Drop for RedisServer {
    fn drop(&mut self) {
        let is_running = self.process.lock().unwrap().is_some();
        if !is_running || self.options.may_leave_keys || std::thread::panicking() {
            return;
        }
        self.resume();
        let mut eternal = self.keys_without_expiry();
        // An ending child sends a signal, and the kernel resumes no read that has a deadline.
        for _ in 0..SIGNALS_MAX {
            if !eternal.as_ref().is_err_and(|error| error.to_string().contains("Interrupted")) {
                break;
            }
            eternal = self.keys_without_expiry();
        }
        let eternal = eternal.expect("the test's Redis answers at its end");
        assert!(eternal.is_empty(), "keys without an expiry: {eternal:?}");
    }
}
