//! A subscriber of one shard channel, like a hub that holds the channel's user. The Redis client of the
//! tests has no `SSUBSCRIBE`.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use crate::redis_server::RedisServer;
use crate::wait::eventually;

/// Everything published on a user's own channel since the subscription.
pub struct OwnChannel {
    messages: Arc<Mutex<Vec<String>>>,
    /// Keeps the connection open.
    _writer: tokio::net::tcp::OwnedWriteHalf,
}

impl OwnChannel {
    /// Subscribes at this node.
    pub async fn subscribe(redis: &RedisServer, channel: &str) -> Self {
        let stream = TcpStream::connect(redis.address()).await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let command = format!("*2\r\n$10\r\nSSUBSCRIBE\r\n${}\r\n{channel}\r\n", channel.len());
        writer.write_all(command.as_bytes()).await.unwrap();
        let confirmed = read(&mut reader).await.expect("an answer to SSUBSCRIBE");
        assert_eq!(confirmed[..2], ["ssubscribe", channel]);
        let messages = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Some(mut message) = read(&mut reader).await {
                taken.lock().unwrap().extend(message.pop());
            }
        });
        Self { messages, _writer: writer }
    }

    /// Waits for `count` messages; fails on more.
    pub async fn exactly(&self, count: usize) -> Vec<String> {
        let messages = || self.messages.lock().unwrap().clone();
        let what = format!("{count} messages on the own channel");
        eventually(&what, async || (messages().len() >= count).then_some(())).await;
        let messages = messages();
        assert_eq!(messages.len(), count, "{messages:#?}");
        messages
    }
}

/// The next push: an array of bulk strings or integers; `None` at the end.
async fn read(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<String>> {
    let count = line(reader).await?;
    assert!(count.starts_with('*'), "{count}");
    let mut parts = Vec::new();
    for _ in 0..count[1..].parse::<usize>().unwrap() {
        let head = line(reader).await?;
        if let Some(number) = head.strip_prefix(':') {
            parts.push(number.to_owned());
            continue;
        }
        let mut bytes = vec![0; head[1..].parse::<usize>().unwrap() + 2];
        reader.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(bytes.len() - 2);
        parts.push(String::from_utf8(bytes).unwrap());
    }
    Some(parts)
}

async fn line(reader: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line).await {
        Ok(1..) => Some(line.trim_end().to_owned()),
        _ => None,
    }
}
