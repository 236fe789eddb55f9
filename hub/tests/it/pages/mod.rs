//! What the hub serves to pages: the browser client's files, and the demo page.

mod assets;
mod demo;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::SOON;

/// An HTTP answer in bytes.
struct Fetched {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Fetched {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends a request and reads until the hub hangs up; `headers` each with its line break.
async fn fetch(address: SocketAddr, method: &str, path: &str, headers: &str) -> Fetched {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(SOON, connection.read_to_end(&mut bytes)).await.expect("in time").unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer") + 4;
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Fetched { status, head, body }
}

/// The folder that the hub serves.
fn dist() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../client/dist")
}
