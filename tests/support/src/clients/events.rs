//! The only reader of event streams; reads them as an `EventSource` does (WHATWG HTML §9.2.6).

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::wait::{PATIENCE, within};

/// Longest head or block.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// An open stream, or a rejection, according to `head`.
pub struct Events {
    connection: TcpStream,
    /// Received bytes that are not read yet.
    bytes: Vec<u8>,
    /// Received bytes of a body in chunks (RFC 9112 §7.1), as proxies send it, from a chunk's size on.
    chunks: Option<Vec<u8>>,
    /// The status line and the headers.
    pub head: String,
    patience: Duration,
}

/// One block of lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub retry: Option<String>,
    pub data: String,
}

impl Events {
    /// Opens a stream; `query` includes its `?`, each of the `headers` its line break.
    pub async fn connect(address: impl ToSocketAddrs, query: &str, headers: &str) -> Self {
        let connection = TcpStream::connect(address).await.unwrap();
        let opening = Self::connect_over(connection, query, headers);
        within(PATIENCE, "a head", opening).await.unwrap()
    }

    /// Opens a stream over the caller's connection.
    ///
    /// # Errors
    /// The connection breaks, or is closed before the head is complete.
    pub async fn connect_over(connection: TcpStream, query: &str, headers: &str) -> Result<Self> {
        let request =
            format!("GET /sse/notifications{query} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n");
        Self::request(connection, &request).await
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// The connection breaks, or is closed before the head is complete.
    pub async fn request(mut connection: TcpStream, request: &str) -> Result<Self> {
        connection.write_all(request.as_bytes()).await?;
        let (bytes, head) = (Vec::new(), String::new());
        let mut events = Self { connection, bytes, chunks: None, head, patience: PATIENCE };
        events.head = events.up_to("\r\n\r\n").await?.ok_or(ErrorKind::UnexpectedEof)?;
        if events.head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked\r\n") {
            events.chunks = Some(std::mem::take(&mut events.bytes));
            events.take_chunks()?;
        }
        Ok(events)
    }

    /// Limits every further wait for a block.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The next block that is not a keep-alive comment; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Block> {
        let patience = self.patience;
        within(patience, "a block", self.read()).await.unwrap()
    }

    /// [`Self::next`] without a deadline. No byte is lost when the caller stops waiting.
    ///
    /// # Errors
    /// The connection breaks; `InvalidData` for a block that an `EventSource` would not understand.
    pub async fn read(&mut self) -> Result<Option<Block>> {
        loop {
            let Some(text) = self.up_to("\n\n").await? else { return Ok(None) };
            let block = Block::parse(&text)?;
            if block != Block::default() {
                return Ok(Some(block));
            }
        }
    }

    /// The data of the next block, which must be of this kind.
    pub async fn data(&mut self, event: &str) -> String {
        let block = self.next().await.expect("the stream is open");
        assert_eq!(block.event.as_deref(), Some(event), "{block:?}");
        block.data
    }

    async fn up_to(&mut self, end: &str) -> Result<Option<String>> {
        let end = end.as_bytes();
        loop {
            if let Some(at) = self.bytes.windows(end.len()).position(|window| window == end) {
                let rest = self.bytes.split_off(at + end.len());
                let text = std::mem::replace(&mut self.bytes, rest);
                return String::from_utf8(text).map(Some).map_err(invalid);
            }
            if self.bytes.len() > TEXT_BYTES_MAX {
                return Err(invalid("no end"));
            }
            let received = self.chunks.as_mut().unwrap_or(&mut self.bytes);
            if self.connection.read_buf(received).await? == 0 || self.take_chunks()? {
                return Ok(None);
            }
        }
    }

    /// Moves the content of complete chunks to `bytes`; whether the last chunk has come.
    fn take_chunks(&mut self) -> Result<bool> {
        let Some(chunks) = &mut self.chunks else { return Ok(false) };
        while let Some(at) = chunks.windows(2).position(|window| window == b"\r\n") {
            let size = std::str::from_utf8(&chunks[..at]).map_err(invalid)?;
            let size = usize::from_str_radix(size, 16).map_err(invalid)?;
            let (start, end) = (at + 2, at + 2 + size);
            if size == 0 {
                return Ok(true);
            }
            if chunks.len() < end + 2 {
                break;
            }
            self.bytes.extend_from_slice(&chunks[start..end]);
            chunks.drain(..end + 2);
        }
        Ok(false)
    }
}

impl Block {
    fn parse(text: &str) -> Result<Self> {
        let mut block = Self::default();
        for line in text.trim_end().lines().filter(|line| !line.starts_with(':')) {
            match line.split_once(": ") {
                Some(("id", value)) => block.id = Some(value.to_owned()),
                Some(("event", value)) => block.event = Some(value.to_owned()),
                Some(("retry", value)) => block.retry = Some(value.to_owned()),
                Some(("data", value)) => block.data += value,
                _ => return Err(invalid(line)),
            }
        }
        Ok(block)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}
