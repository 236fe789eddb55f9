//! Hub and functions behind nginx, Caddy and HAProxy, with the files of `deploy/proxies` as they are
//! committed.

mod addresses;
mod drain;
mod passing;
mod silence;

use serde_json::Value;
use support::{Functions, Hub, RedisServer, ReverseProxy, Socket, Software, TlsTunnel, token};

/// Runs each of the tests behind each proxy.
macro_rules! behind_each {
    ($($test:ident),+ $(,)?) => {
        behind_each!(@ nginx Nginx $($test)+);
        behind_each!(@ caddy Caddy $($test)+);
        behind_each!(@ haproxy Haproxy $($test)+);
    };
    (@ $module:ident $software:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(support::Software::$software).await;
                }
            )+
        }
    };
}
use behind_each;

/// What stands behind a proxy.
struct Site {
    functions: Functions,
    hubs: [Hub; 2],
    _redis: RedisServer,
}

impl Site {
    /// Two ready hubs that trust the proxy, with further arguments.
    async fn start(arguments: &[&str]) -> Self {
        let redis = RedisServer::start().await;
        let functions = Functions::start(&redis).await;
        let hubs = [hub(&redis, arguments).await, hub(&redis, arguments).await];
        Self { functions, hubs, _redis: redis }
    }

    async fn behind(&self, software: Software) -> ReverseProxy {
        ReverseProxy::start(software, [&self.hubs[0], &self.hubs[1]], &self.functions).await
    }
}

async fn hub(redis: &RedisServer, arguments: &[&str]) -> Hub {
    let setup = Hub::with(&redis.url()).arguments(&["--trusted-proxies=127.0.0.1"]);
    let hub = setup.arguments(arguments).start().await;
    hub.ready().await;
    hub
}

/// A `bellwire.v1` socket of a user, after its welcome, which is returned, too; `query` includes its `?`.
async fn connect(through: &TlsTunnel, user: &str, query: &str) -> (Socket, Value) {
    let mut request = support::socket::handshake(&format!("/ws/notifications{query}"));
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", token(user, "")).parse().unwrap());
    headers.insert("sec-websocket-protocol", "bellwire.v1".parse().unwrap());
    let socket = Socket::handshake(through.address(), request).await;
    let mut socket = socket.unwrap_or_else(|status| panic!("{user}: rejected with {status}"));
    let welcome = socket.json().await;
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    (socket, welcome)
}
