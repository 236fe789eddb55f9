//! The end of a test's Redis: it must hold no key without an expiry, unless the test expects that.

use std::time::Duration;

use super::RedisServer;

/// Keys looked at in one round trip.
const PAGE: usize = 1000;

impl RedisServer {
    fn keys_without_expiry(&self) -> redis::RedisResult<Vec<String>> {
        let mut connection = self.client().get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let foreign = self.foreign.lock().unwrap();
        let mut eternal = Vec::new();
        let mut cursor: u64 = 0;
        loop {
            // In pages: a benchmark may leave millions.
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(PAGE);
            let (next, keys): (u64, Vec<String>) = scan.query(&mut connection)?;
            let mut pipeline = redis::pipe();
            pipeline.ignore_errors();
            for key in &keys {
                pipeline.cmd("TTL").arg(key);
            }
            // A page may be empty, and a pipeline may not.
            let ttls: Vec<redis::RedisResult<i64>> = match keys.is_empty() {
                true => Vec::new(),
                false => pipeline.query(&mut connection)?,
            };
            for (key, ttl) in keys.into_iter().zip(ttls) {
                // A replica's keys are its master's.
                let is_elsewhere = ttl.as_ref().is_err_and(|error| error.redirect_node().is_some());
                let ttl = if is_elsewhere { -2 } else { ttl? };
                // -2: it expired in the meantime, or another node of the cluster has it.
                if ttl == -1 && key != shared::keys::ONLINE_USERS && !foreign.contains(&key) {
                    eternal.push(key);
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
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
