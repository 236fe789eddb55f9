//! Peers whose link goes down without a packet.

use std::process::{Command, Stdio};
use std::time::Duration;

use ::support::process::Process;
use hub::config::Pace;

use crate::support::{Hub, Options, token, until};

/// Opens a socket and an event stream, and keeps the socket alive by answering pings. Arguments:
/// address, port, and the two tokens.
const CLIENT: &str = r#"
const [host, port, socketToken, eventsToken] = process.argv.slice(1);
const open = (path, token, more) => {
  const socket = require('net').connect(Number(port), host, () => socket.write(
    `GET ${path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`));
  return socket;
};
const socket = open('/ws/notifications', socketToken, 'Connection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n');
socket.on('data', (bytes) => {
  const at = bytes.length - 10;
  if (bytes[at] !== 0x89 || bytes[at + 1] !== 8) return;
  socket.write(Buffer.concat([Buffer.from([0x8a, 0x88, 0, 0, 0, 0]), bytes.subarray(at + 2)]));
});
open('/sse/notifications', eventsToken, '').resume();
"#;

/// A network namespace with a pair of interfaces, removed when dropped.
struct Namespace {
    name: String,
    here: String,
}

fn run(program: &str, words: &[&str]) -> bool {
    let command = Command::new(program).args(words).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

impl Namespace {
    /// `None` without the permission.
    fn new() -> Option<Self> {
        let id = fastrand::u32(..1 << 24);
        let (name, inside) = (format!("bw{id:06x}"), format!("bwi{id:06x}"));
        // 198.18.0.0/15 is reserved for such tests (RFC 2544).
        let net = format!("198.18.{}", fastrand::u8(..));
        let this = Self { name, here: format!("{net}.1") };
        let (name, here) = (this.name.as_str(), format!("{net}.1/24"));
        let outside = format!("bwo{id:06x}");
        let is_made = run("ip", &["netns", "add", name])
            && run(
                "ip",
                &["link", "add", &outside, "type", "veth", "peer", &inside, "netns", name],
            )
            && run("ip", &["addr", "add", &here, "dev", &outside])
            && run("ip", &["link", "set", &outside, "up"])
            && this.inside(&["ip", "addr", "add", &format!("{net}.2/24"), "dev", &inside])
            && this.inside(&["ip", "link", "set", &inside, "up"]);
        is_made.then_some(this)
    }

    fn inside(&self, words: &[&str]) -> bool {
        run("ip", &[&["netns", "exec", &self.name], words].concat())
    }

    /// From now on packets are lost.
    fn cut(&self) {
        let inside = self.name.replacen("bw", "bwi", 1);
        assert!(self.inside(&["ip", "link", "set", &inside, "down"]));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // This removes the interfaces, too.
        run("ip", &["netns", "del", &self.name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_link_is_down_is_closed_and_offline() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("SKIPPED: half-open peers need a network namespace, which needs root");
        return;
    };
    let pace = Pace { ping_interval: Duration::from_millis(500), ..Pace::default() };
    let listen = Some(format!("{}:0", namespace.here).parse().unwrap());
    let hub = Hub::start_with(Options { pace, listen, ..Options::default() }).await;
    let port = hub.address.port().to_string();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace.name, "node", "-e", CLIENT, &namespace.here, &port]);
    command.args([token("socket"), token("stream")]);
    let _client = Process::start("a client in Node", &mut command);
    let mut here = hub.connect("here").await;
    let reading = tokio::spawn(async move { here.close_code().await });
    hub.until_online(&["here", "socket", "stream"]).await;
    // Long enough for several answered pings.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(hub.online().await, ["here", "socket", "stream"]);
    namespace.cut();
    until("the cut-off user is offline", async || hub.online().await == ["here"]).await;
    reading.abort();
}
