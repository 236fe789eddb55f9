//! The console's own address. One request per connection, as for scrapes; a stream of
//! `/console/live` is the connection's only answer, and lasts.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use native::http::RequestId;
use native::http::problem::answer;
use native::limits::ACCEPT_PAUSE;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::console::Console;
use crate::console::write_deadline::WriteDeadline;
use crate::limits::{
    CONSOLE_CONNECTIONS_MAX, CONSOLE_HEADER_DEADLINE, CONSOLE_SEND_BUFFER_BYTES, HEADER_BYTES_MAX,
};

impl Console {
    /// Serves the console, and `beside` it what else has this address, until the hub shuts down.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, beside: Router) {
        let router = self.clone().router().merge(beside);
        let slots = Arc::new(Semaphore::new(CONSOLE_CONNECTIONS_MAX));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.cancelled() => return std::future::pending().await,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (console, router) = (self.clone(), router.clone());
                    self.connections.spawn(async move {
                        console.answer(stream, router).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept connections of the console");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn answer(&self, stream: TcpStream, router: Router) {
        // Otherwise the kernel takes megabytes for a viewer that does not read, which is hours of
        // snapshots.
        let sized = SockRef::from(&stream).set_send_buffer_size(CONSOLE_SEND_BUFFER_BYTES);
        if let Err(error) = sized.and_then(|()| stream.set_nodelay(true)) {
            tracing::debug!(%error, "cannot set options of a console's connection");
        }
        let stream = WriteDeadline::new(stream, self.app.config.pace.console_write_deadline);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let answer = answer(router.clone(), RequestId::random(), request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(CONSOLE_HEADER_DEADLINE)
            .keep_alive(false);
        server.max_buf_size(HEADER_BYTES_MAX);
        let serving = server.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = serving.await {
            tracing::debug!(%error, "a console's connection failed");
        }
    }
}
