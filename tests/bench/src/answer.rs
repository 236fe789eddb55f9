//! Parses the parts of an HTTP/1.1 answer that the load needs: status and length.

use anyhow::{Result, bail};

/// The head of an answer in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    head_bytes: usize,
    body_bytes: usize,
}

impl Answer {
    /// Parses the head; `None` while it is incomplete.
    ///
    /// # Errors
    /// An answer without `Content-Length`, which no server here may send.
    pub fn parse(buffer: &[u8]) -> Result<Option<Self>> {
        let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&buffer[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        match (status, length) {
            (Some(status), Some(body_bytes)) => {
                Ok(Some(Self { status, head_bytes: end + 4, body_bytes }))
            }
            _ => bail!("not an answer with a length: {head}"),
        }
    }

    /// Length of head and body.
    pub fn bytes(&self) -> usize {
        self.head_bytes + self.body_bytes
    }

    pub fn body<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(self.head_bytes..self.bytes()).unwrap_or_default()
    }

    /// Whether the body contains `text`.
    pub fn body_has(&self, buffer: &[u8], text: &str) -> bool {
        let (body, text) = (self.body(buffer), text.as_bytes());
        // New members are added at the end, so a search from the end is short.
        text.is_empty() || body.windows(text.len()).rev().any(|window| window == text)
    }
}

/// A request with a token and, unless `body` is empty, JSON.
pub fn request(method: &str, target: &str, token: &str, body: &str) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: bench\r\n");
    if !token.is_empty() {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if !body.is_empty() {
        let bytes = body.len();
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {bytes}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_status_length_and_body() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        assert_eq!(Answer::parse(&text[..30]).unwrap(), None);
        let answer = Answer::parse(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.bytes()), (201, text.len()));
        assert!(answer.body_has(text, "ll") && !answer.body_has(text, "201"));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
