//! A server that echoes messages, with the hub's own handshake, frames and sockets: the peer for the
//! cases of RFC 6455, since the hub itself does not answer a client's messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hub::http::request_head::{self, RequestHead};
use hub::protocol::Protocol;
use hub::protocol::frame::{self, Opcode};
use hub::session::upgrade;
use hub::socket::connection::Connection;
use hub::socket::end::End;
use hub::socket::keepalive::Keepalive;
use hub::socket::task::{Listener, SocketTask};
use native::http::RequestId;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Autobahn's largest message has 16 MiB.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Times are never due here: neither a ping nor an end.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Serves until dropped.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(open(stream));
    }
}

/// Any other request gets no answer.
async fn open(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut bytes, end) = request_head::read(&mut stream).await.ok()?;
    let head = bytes.get(..end).and_then(RequestHead::parse)?;
    let accept_key = upgrade::accept_key(&head).ok()?;
    let now = Instant::now();
    let keepalive = Keepalive::new(now, NEVER, now + NEVER, true);
    let connection =
        Connection::new(stream, 0, Protocol::Raw, keepalive, Arc::default(), Arc::default());
    let answer = upgrade::switching_protocols(&accept_key, None, &RequestId::random());
    connection.open(answer.into());
    SocketTask::new(connection, Echo, MESSAGE_BYTES_MAX).run(bytes.split_off(end)).await;
    Some(())
}

struct Echo;

impl Listener for Echo {
    fn admit(&mut self) -> Option<End> {
        None
    }

    fn text(&mut self, connection: &Arc<Connection>, text: String) -> Option<End> {
        connection.push(frame::encode(Opcode::Text, &[text.as_bytes()]));
        connection.flush();
        None
    }

    fn binary(&mut self, connection: &Arc<Connection>, data: Vec<u8>) -> Option<End> {
        connection.push(frame::encode(Opcode::Binary, &[&data]));
        connection.flush();
        None
    }
}
