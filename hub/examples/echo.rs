//! The hub's sockets with an echo behind them, for clients that test WebSocket servers
//! (`scripts/autobahn`). Takes nothing, prints the port it listens on, runs until it is stopped.

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
