//! The way of a message to a gateway: `PUBLISH` or `SPUBLISH` to Redis, or an HTTP request to Nchan,
//! which accepts nothing else. Requests are pipelined, answers counted.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use shared::UserId;
use shared::keys::{NOTIFICATIONS_CHANNEL, live_channel};
use shared::live::Live;

use crate::payload::{self, Mark};

const STATUS_LINE: &[u8] = b"HTTP/1.1 ";

/// The target of the messages.
#[derive(Clone, Debug)]
pub enum Wire {
    Redis {
        address: String,
        /// On which channels.
        live: Live,
        /// Whether exactly one subscriber must hear each message.
        is_one_hearer: bool,
    },
    Nchan(SocketAddr),
}

/// Counts the answers on a connection.
#[derive(Debug, Default)]
pub struct Answers {
    /// A partial answer that the next bytes complete.
    rest: Vec<u8>,
}

impl Wire {
    pub fn address(&self) -> String {
        match self {
            Wire::Redis { address, .. } => address.clone(),
            Wire::Nchan(address) => address.to_string(),
        }
    }

    /// Appends a request to `batch`; `message` is scratch space.
    pub fn request(
        &self,
        batch: &mut Vec<u8>,
        message: &mut Vec<u8>,
        user: &str,
        epoch: &str,
        mark: Mark,
    ) -> Result<()> {
        message.clear();
        match self {
            Wire::Redis { live, .. } => {
                payload::message(message, user, epoch, mark);
                if *live != Live::Own {
                    publish(batch, "PUBLISH", NOTIFICATIONS_CHANNEL, message)?;
                }
                if live.uses_own_channels() {
                    publish(batch, "SPUBLISH", &live_channel(&UserId::parse(user)?), message)?;
                }
            }
            Wire::Nchan(address) => {
                payload::notification(message, user, mark);
                let bytes = message.len();
                write!(batch, "POST /pub/{user} HTTP/1.1\r\nHost: {address}\r\n")?;
                write!(batch, "Content-Length: {bytes}\r\n\r\n")?;
                batch.extend_from_slice(message);
            }
        }
        Ok(())
    }

    /// Number of answers to one message.
    pub fn answers_per_message(&self) -> u64 {
        match self {
            Wire::Redis { live: Live::Bridge, .. } => 2,
            Wire::Redis { .. } | Wire::Nchan(_) => 1,
        }
    }

    /// Number of answers whose result is known with these bytes.
    ///
    /// # Errors
    /// An answer reports anything but one receiving gateway.
    pub fn count(&self, answers: &mut Answers, bytes: &[u8]) -> Result<u64> {
        match self {
            Wire::Redis { is_one_hearer, .. } => {
                let sound: &[u8] = if *is_one_hearer { b":1\r\n" } else { b":0123456789\r\n" };
                let is_sound = bytes.iter().all(|byte| sound.contains(byte));
                ensure!(is_sound, "Redis answered {:?}", String::from_utf8_lossy(bytes));
                Ok(bytes.iter().filter(|&&byte| byte == b'\n').count() as u64)
            }
            Wire::Nchan(_) => answers.status_lines(bytes),
        }
    }
}

fn publish(batch: &mut Vec<u8>, command: &str, channel: &str, message: &[u8]) -> Result<()> {
    write!(batch, "*3\r\n${}\r\n{command}\r\n", command.len())?;
    write!(batch, "${}\r\n{channel}\r\n${}\r\n", channel.len(), message.len())?;
    batch.extend_from_slice(message);
    batch.extend_from_slice(b"\r\n");
    Ok(())
}

impl Answers {
    /// Bodies are short texts of Nchan, without a status line in them.
    fn status_lines(&mut self, bytes: &[u8]) -> Result<u64> {
        self.rest.extend_from_slice(bytes);
        let (mut count, mut done) = (0, 0);
        let whole = STATUS_LINE.len() + 1;
        while let Some(found) =
            self.rest[done..].windows(whole).position(|part| part.starts_with(STATUS_LINE))
        {
            done += found + whole;
            let is_success = self.rest[done - 1] == b'2';
            let line = String::from_utf8_lossy(&self.rest[done - 1..]);
            ensure!(is_success, "Nchan answered {:.60}", line);
            count += 1;
        }
        done = done.max(self.rest.len().saturating_sub(whole - 1));
        self.rest.drain(..done);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { at_us: 5, to: 0, nth: 1 };

    fn wire(live: Live) -> Wire {
        Wire::Redis { address: "127.0.0.1:1".to_owned(), live, is_one_hearer: true }
    }

    fn request(wire: &Wire) -> String {
        let mut batch = Vec::new();
        wire.request(&mut batch, &mut vec![b'x'], "a", "e", MARK).unwrap();
        String::from_utf8(batch).unwrap()
    }

    #[test]
    fn requests_state_their_length() {
        for (live, start) in [
            (Live::All, "*3\r\n$7\r\nPUBLISH\r\n$13\r\nnotifications\r\n$"),
            (Live::Own, "*3\r\n$8\r\nSPUBLISH\r\n$25\r\nbw:live:{notifications:a}\r\n$"),
        ] {
            let redis = request(&wire(live));
            let message = redis.strip_prefix(start).unwrap();
            let (length, message) = message.trim_end().split_once("\r\n").unwrap();
            assert_eq!(message.len().to_string(), length);
        }
        let nchan = request(&Wire::Nchan("127.0.0.1:1".parse().unwrap()));
        let (head, body) = nchan.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /pub/a HTTP/1.1\r\n"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
    }

    #[test]
    fn counts_answers_of_redis_and_rejects_errors() {
        let wire = wire(Live::All);
        let count = |bytes: &[u8]| wire.count(&mut Answers::default(), bytes);
        assert_eq!(count(b":1\r\n:1\r\n:1").unwrap(), 2);
        assert_eq!(count(b"\r\n").unwrap(), 1);
        for bad in [&b":0\r\n"[..], b"-ERR unknown\r\n"] {
            assert!(count(bad).is_err());
        }
    }

    #[test]
    fn counts_answers_of_nchan_split_at_any_byte() {
        let wire = Wire::Nchan("127.0.0.1:1".parse().unwrap());
        let answer = "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nqueued: 1\n";
        let answers = answer.repeat(3);
        for size in 1..answers.len() {
            let mut state = Answers::default();
            let parts = answers.as_bytes().chunks(size);
            let count: u64 = parts.map(|part| wire.count(&mut state, part).unwrap()).sum();
            assert_eq!(count, 3, "in parts of {size}");
        }
        let refused = b"HTTP/1.1 413 Too Large\r\n\r\n";
        assert!(wire.count(&mut Answers::default(), refused).is_err());
    }
}
