//! The hub's program, for tests that kill it, signal it, or read its log; started by `support::Hub`.

use std::net::SocketAddr;
use std::ops::Deref;

use ::support::Hub;
use ::support::hub::Setup;

use super::{Client, RedisServer, token};

/// A running hub, killed when dropped.
pub struct Program(Hub);

impl Program {
    pub async fn start(redis: &RedisServer) -> Self {
        Self::start_with(Self::with(redis).arguments(&["--log=off"])).await
    }

    /// The usual setup, for tests to change.
    pub fn with(redis: &RedisServer) -> Setup {
        Hub::with(&redis.url())
    }

    pub async fn start_with(setup: Setup) -> Self {
        // The hub inherits the limit.
        native::process::open_files::raise().unwrap();
        Self(setup.start().await)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// A user's raw socket.
    pub async fn connect(&self, user: &str) -> Client {
        Client::connect(self.address(), &token(user), None).await.unwrap()
    }
}

impl Deref for Program {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.0
    }
}
