//! The way of a message to a gateway: `PUBLISH` to Redis, or an HTTP request to Nchan, which
//! accepts nothing else. Requests are pipelined, answers counted.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::payload::{self, Mark};

const STATUS_LINE: &[u8] = b"HTTP/1.1 ";

/// The target of the messages.
#[derive(Clone, Debug)]
pub enum Wire {
    /// Address of Redis.
    Redis(String),
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
            Wire::Redis(address) => address.clone(),
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
            Wire::Redis(_) => {
                payload::message(message, user, epoch, mark);
                let head = "*3\r\n$7\r\nPUBLISH\r\n$13\r\nnotifications\r\n$";
                write!(batch, "{head}{}\r\n", message.len())?;
                batch.extend_from_slice(message);
                batch.extend_from_slice(b"\r\n");
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

    /// Number of answers whose result is known with these bytes.
    ///
    /// # Errors
    /// An answer reports anything but one receiving gateway.
    pub fn count(&self, answers: &mut Answers, bytes: &[u8]) -> Result<u64> {
        match self {
            Wire::Redis(_) => {
                let is_sound = bytes.iter().all(|byte| b":1\r\n".contains(byte));
                ensure!(is_sound, "Redis answered {:?}", String::from_utf8_lossy(bytes));
                Ok(bytes.iter().filter(|&&byte| byte == b'\n').count() as u64)
            }
            Wire::Nchan(_) => answers.status_lines(bytes),
        }
    }
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

    fn request(wire: &Wire) -> String {
        let mut batch = Vec::new();
        wire.request(&mut batch, &mut vec![b'x'], "a", "e", MARK).unwrap();
        String::from_utf8(batch).unwrap()
    }

    #[test]
    fn requests_state_their_length() {
        let redis = request(&Wire::Redis("127.0.0.1:1".to_owned()));
        let (head, message) = redis.split_once("$13\r\nnotifications\r\n$").unwrap();
        assert_eq!(head, "*3\r\n$7\r\nPUBLISH\r\n");
        let (length, message) = message.trim_end().split_once("\r\n").unwrap();
        assert_eq!(message.len().to_string(), length);
        let nchan = request(&Wire::Nchan("127.0.0.1:1".parse().unwrap()));
        let (head, body) = nchan.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /pub/a HTTP/1.1\r\n"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
    }

    #[test]
    fn counts_answers_of_redis_and_rejects_errors() {
        let wire = Wire::Redis(String::new());
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
