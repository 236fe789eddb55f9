//! Accepts the clients' connections.

use std::io;

use native::limits::ACCEPT_PAUSE;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::accept::first_request::Acceptor;

/// Accepts connections for ever.
pub(crate) async fn accept(listener: &TcpListener, acceptor: &Acceptor, connections: &TaskTracker) {
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((connection, peer)) => {
                is_failing = false;
                acceptor.clone().accepted(connection, peer.ip(), connections);
            }
            Err(error) if is_about_the_connection(&error) => {}
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "cannot accept connections");
                }
                is_failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the peer closed the connection before it was accepted.
fn is_about_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
