//! A subscription that no longer hears what is published, although its server answers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hub::config::Pace;
use shared::wire::ChannelEvent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{Hub, Options, RedisServer, SOON, until};

fn quick() -> Pace {
    let wait = Duration::from_millis(300);
    Pace { subscription_silence: wait, subscription_pong_deadline: wait, ..Pace::default() }
}

/// A proxy whose server can be replaced: connections that have subscribed stay with the old one.
struct Proxy {
    url: String,
    server: watch::Sender<String>,
    subscriptions: watch::Receiver<usize>,
}

impl Proxy {
    /// Subscriptions may be sent elsewhere.
    async fn start(server: &RedisServer, subscribed: Option<&RedisServer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (server, servers) = watch::channel(address(server));
        let (counter, subscriptions) = watch::channel(0);
        let counter = Arc::new(counter);
        let subscribed = subscribed.map(address);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (servers, counter) = (servers.clone(), counter.clone());
                tokio::spawn(forward(client, servers, subscribed.clone(), counter));
            }
        });
        Self { url, server, subscriptions }
    }

    fn fail_over_to(&self, server: &RedisServer) {
        self.server.send(address(server)).unwrap();
    }
}

fn address(server: &RedisServer) -> String {
    server.url().strip_prefix("redis://").unwrap().to_owned()
}

async fn forward(
    mut client: TcpStream,
    mut server: watch::Receiver<String>,
    subscribed: Option<String>,
    subscriptions: Arc<watch::Sender<usize>>,
) {
    let name = server.borrow_and_update().clone();
    let Ok(mut behind) = TcpStream::connect(name).await else { return };
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut has_subscribed = false;
    loop {
        tokio::select! {
            _ = server.changed(), if !has_subscribed => return,
            read = client.read(&mut up) => {
                let Ok(bytes @ 1..) = read else { return };
                // As a command, which others may name in an argument.
                let command = b"$9\r\nSUBSCRIBE\r\n";
                if up[..bytes].windows(command.len()).any(|window| window == command) {
                    has_subscribed = true;
                    subscriptions.send_modify(|count| *count += 1);
                    if let Some(elsewhere) = &subscribed {
                        behind = TcpStream::connect(elsewhere).await.unwrap();
                    }
                }
                if behind.write_all(&up[..bytes]).await.is_err() { return }
            }
            read = behind.read(&mut down) => {
                let Ok(bytes @ 1..) = read else { return };
                if client.write_all(&down[..bytes]).await.is_err() { return }
            }
        }
    }
}

async fn start(redis: RedisServer, proxy: &Proxy) -> Hub {
    let redis_url = Some(proxy.url.clone());
    Hub::start_on(redis, Options { pace: quick(), redis_url, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_left_behind_by_a_failover_is_noticed_and_replaced() {
    let (old, new) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::start(&old, None).await;
    let hub = start(old, &proxy).await;
    hub.until_ready().await;
    let mut client = hub.connect("alice").await;
    proxy.fail_over_to(&new);
    hub.until_not_ready().await;
    hub.until_ready().await;
    assert_eq!(*proxy.subscriptions.borrow(), 2);
    new.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_not_ready_while_new_subscriptions_are_deaf_as_well() {
    let (subscribed, published) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::start(&published, Some(&subscribed)).await;
    let hub = start(published, &proxy).await;
    hub.until_not_ready().await;
    let before = *proxy.subscriptions.borrow();
    until("it subscribes again and again", async || *proxy.subscriptions.borrow() >= before + 3)
        .await;
    let answer = hub.get("/readyz").await;
    assert!(
        answer.status == 503 && answer.body.contains("does not receive publications"),
        "{}",
        answer.body
    );
    // Any message that is delivered shows that it hears.
    let mut client = hub.connect("alice").await;
    subscribed.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_hub_hears_its_own_probes_and_keeps_its_subscription() {
    let hub = Hub::start_with(Options { pace: quick(), ..Options::default() }).await;
    let client = redis::Client::open(hub.redis.url()).unwrap();
    let mut channel = client.get_async_pubsub().await.unwrap();
    channel.subscribe("bw:events").await.unwrap();
    let mut probes = Vec::new();
    while probes.len() < 3 {
        let next = tokio::time::timeout(SOON, channel.on_message().next()).await;
        let message = next.unwrap().unwrap();
        match ChannelEvent::parse(message.get_payload_bytes()).unwrap() {
            ChannelEvent::Probe { hub, n } => probes.push((hub, n)),
            other => panic!("{other:?}"),
        }
        assert_eq!(hub.get("/readyz").await.status, 200);
    }
    let id = &probes[0].0;
    assert_eq!(probes, [1, 2, 3].map(|n| (id.clone(), n)));
}
