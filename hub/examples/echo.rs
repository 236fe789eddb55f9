//! An echo server on the hub's sockets, for WebSocket test clients (`scripts/autobahn`). Takes no
//! arguments, prints its port, and runs until it is stopped.

#[path = "../tests/it/support/echo.rs"]
mod echo;

use std::io::Write as _;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    echo::serve(listener).await
}
