//! The reader of an event stream, as an `EventSource` reads it (WHATWG HTML §9.2.6).

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SOON;

pub struct Events {
    connection: TcpStream,
    bytes: Vec<u8>,
    pub head: String,
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
    pub async fn connect(address: SocketAddr, query: &str, headers: &str) -> Self {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /sse/notifications{query} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self { connection, bytes: Vec::new(), head: String::new() };
        events.head = events.upto("\r\n\r\n").await.expect("a head");
        events
    }

    /// The next block that is more than a sign of life; `None` when the stream ends.
    pub async fn next(&mut self) -> Option<Block> {
        loop {
            let text = self.upto("\n\n").await?;
            let mut block = Block::default();
            for line in text.trim_end().lines().filter(|line| !line.starts_with(':')) {
                let (name, value) = line.split_once(": ").unwrap();
                match name {
                    "id" => block.id = Some(value.to_owned()),
                    "event" => block.event = Some(value.to_owned()),
                    "retry" => block.retry = Some(value.to_owned()),
                    "data" => block.data += value,
                    other => panic!("{other}"),
                }
            }
            if block != Block::default() {
                return Some(block);
            }
        }
    }

    /// The data of the next block, which has to be of this kind.
    pub async fn data(&mut self, event: &str) -> String {
        let block = self.next().await.expect("the stream goes on");
        assert_eq!(block.event.as_deref(), Some(event), "{block:?}");
        block.data
    }

    async fn upto(&mut self, end: &str) -> Option<String> {
        let reading = async {
            loop {
                let end = end.as_bytes();
                if let Some(at) = self.bytes.windows(end.len()).position(|window| window == end) {
                    let rest = self.bytes.split_off(at + end.len());
                    let text = std::mem::replace(&mut self.bytes, rest);
                    return Some(String::from_utf8(text).unwrap());
                }
                if self.connection.read_buf(&mut self.bytes).await.unwrap() == 0 {
                    return None;
                }
            }
        };
        timeout(SOON, reading).await.expect("in time")
    }
}
