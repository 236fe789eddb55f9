//! Where connections come in: each is asked for one request. One that opens a socket is taken over
//! as it is; any other is answered by the router, over HTTP, and closed.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use shared::Error;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, join};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::ConnectionPermit;
use crate::head::{self, Head, HeadError};
use crate::http::{App, RequestId, answer};
use crate::limits::{
    CLOSE_DEADLINE, HEADER_BYTES_MAX, HEADER_DEADLINE, PINGS_UNANSWERED_MAX, REQUEST_DEADLINE,
    TURNED_AWAY_MAX,
};
use crate::open::{self, Visitor, refusal};

/// See the module.
#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
    router: Router,
    /// Cancelled when the hub ends.
    closing: CancellationToken,
    /// For connections that are told why they are not let in.
    turned_away: Arc<Semaphore>,
}

impl Door {
    pub fn new(app: Arc<App>, router: Router, closing: CancellationToken) -> Self {
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        Self { app, router, closing, turned_away }
    }

    /// A connection was accepted.
    pub fn knock(self, stream: TcpStream, peer: IpAddr, connections: &TaskTracker) {
        self.app.metrics.connected();
        match self.app.admission.connection(peer) {
            Ok(permit) => drop(connections.spawn(self.serve(stream, peer, permit))),
            Err(error) => {
                self.app.metrics.refused(error.code());
                // The others find a closed door: saying why takes time and a file descriptor each.
                if let Ok(slot) = self.turned_away.clone().try_acquire_owned() {
                    connections.spawn(async move {
                        refuse(stream, &error, &RequestId::random()).await;
                        drop(slot);
                    });
                }
            }
        }
    }

    /// Serves the one request of a connection, or makes it a socket.
    async fn serve(self, mut stream: TcpStream, peer: IpAddr, permit: ConnectionPermit) {
        // Small frames must not wait for the peer's acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = self.give_up_on_the_silent(&stream) {
            tracing::debug!(%error, "cannot set TCP_USER_TIMEOUT");
        }
        let reading = timeout(HEADER_DEADLINE, head::read(&mut stream));
        let read = tokio::select! {
            read = reading => read,
            () = self.closing.cancelled() => return,
        };
        let (mut bytes, end) = match read {
            Ok(Ok(read)) => read,
            // The router's server says what is wrong with a head that is too large.
            Ok(Err(HeadError::TooLarge)) => return refuse_head(stream).await,
            Ok(Err(error)) => return tracing::debug!(%error, "a connection without a request"),
            Err(_) => return tracing::debug!("a connection sent no request in time"),
        };
        let head = bytes.get(..end).and_then(Head::parse);
        let id = RequestId::random();
        if let Some(head) = head
            && let Some(transport) = open::transport(&head)
        {
            let early = bytes.split_off(end);
            drop(bytes);
            // Boxed, like the other one: a task that has become a socket ends here.
            let visitor = Visitor { stream, peer, permit };
            let opening = Box::pin(open::open(&self.app, transport, &head, &id, visitor, early));
            if let Err((stream, error)) = opening.await {
                self.app.metrics.refused(error.code());
                refuse(stream, &error, &id).await;
            }
            return;
        }
        Box::pin(self.answer(stream, bytes, id)).await;
        drop(permit);
    }

    /// A peer that is gone without a word acknowledges nothing: the kernel would try for a quarter of
    /// an hour, and the reader of an event stream, who answers no pings, would be online so long.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn give_up_on_the_silent(&self, stream: &TcpStream) -> std::io::Result<()> {
        let patience = self.app.config.pace.ping_interval * (PINGS_UNANSWERED_MAX + 1);
        SockRef::from(stream).set_tcp_user_timeout(Some(patience))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn give_up_on_the_silent(&self, _: &TcpStream) -> std::io::Result<()> {
        Ok(())
    }

    /// Hands the connection to the HTTP server, with what was read of it in front.
    async fn answer(self, stream: TcpStream, read: Vec<u8>, id: RequestId) {
        let (reader, writer) = stream.into_split();
        let connection = TokioIo::new(join(Cursor::new(read).chain(reader), writer));
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let answer = answer(self.router.clone(), id, request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut server = http1::Builder::new();
        // One request each: a later one could open a socket, which is not this server's to do.
        server.keep_alive(false);
        server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
        server.max_buf_size(HEADER_BYTES_MAX);
        match timeout(REQUEST_DEADLINE, server.serve_connection(connection, service)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection broke"),
            Err(_) => tracing::debug!("a request took too long"),
        }
    }
}

async fn refuse(stream: TcpStream, error: &Error, id: &RequestId) {
    say(stream, &refusal(error, id)).await;
}

/// RFC 6585 §5.
async fn refuse_head(stream: TcpStream) {
    let head = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\
                connection: close\r\n\r\n";
    say(stream, head.as_bytes()).await;
}

/// Writes the last bytes of a connection, and gives the peer the time to read them: closing with
/// bytes of its own unread would reset the connection.
async fn say(mut stream: TcpStream, bytes: &[u8]) {
    let saying = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        let mut drained = 0;
        while drained < HEADER_BYTES_MAX {
            match stream.read(&mut sink).await? {
                0 => break,
                bytes => drained += bytes,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let _ = timeout(CLOSE_DEADLINE, saying).await;
}
