//! nginx, Caddy or HAProxy, with the file of `deploy/proxies` as it is committed, in front of hubs
//! and functions. The names, ports and paths in the file are replaced by the test's, and nothing
//! else; a file that no longer contains one of them fails the test.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::certificate::{Authority, TlsFiles};
use crate::functions::Functions;
use crate::hub::Hub;
use crate::process::Process;
use crate::tls_proxy::TlsTunnel;
use crate::wait::eventually;
use crate::{Http, paths, ports};

const STARTS_MAX: usize = 10;
/// Debian has servers in /usr/sbin, which is not on every user's PATH.
const DIRS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    Nginx,
    Caddy,
    Haproxy,
}

impl Software {
    pub fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Caddy => "Caddyfile",
            Self::Haproxy => "haproxy.cfg",
        }
    }

    fn program(self) -> PathBuf {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
        };
        let found =
            DIRS.map(|dir| Path::new(dir).join(name)).into_iter().find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("{name} is missing: run `scripts/install-deps proxies`"))
    }
}

/// A text of a committed file, and its replacement.
type Change = (&'static str, String);

/// A running proxy, which ends TLS. Ends with its value.
pub struct ReverseProxy {
    pub software: Software,
    address: SocketAddr,
    process: Process,
    authority: Authority,
    dir: TempDir,
    _files: TlsFiles,
}

impl ReverseProxy {
    pub async fn start(software: Software, hubs: [&Hub; 2], functions: &Functions) -> Self {
        Self::start_with(software, hubs, functions, &[]).await
    }

    /// Also replaces other texts of the file, such as its timeouts. Returns when it serves.
    pub async fn start_with(
        software: Software,
        hubs: [&Hub; 2],
        functions: &Functions,
        changes: &[Change],
    ) -> Self {
        let hubs = hubs.map(|hub| hub.address.to_string());
        for _ in 0..STARTS_MAX {
            let started = Self::launch(software, &hubs, &functions.address(), changes);
            if let Some(proxy) = started.serving().await {
                return proxy;
            }
        }
        panic!("{software:?} found no free port");
    }

    fn launch(software: Software, hubs: &[String; 2], functions: &str, own: &[Change]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new("an authority that browsers trust");
        let files = authority.files();
        let port = ports::free();
        let mut changes = match software {
            Software::Nginx => nginx(dir.path(), &files, port),
            Software::Caddy => caddy(dir.path(), &files, port),
            Software::Haproxy => haproxy(dir.path(), &files, port),
        };
        changes.extend([
            ("hub-1.internal:3001", hubs[0].clone()),
            ("hub-2.internal:3001", hubs[1].clone()),
            ("functions-1.internal:3000", functions.to_owned()),
            ("functions-2.internal:3000", functions.to_owned()),
        ]);
        changes.extend(own.iter().cloned());
        let committed = paths::workspace().join("deploy/proxies").join(software.file());
        let mut text = std::fs::read_to_string(&committed).unwrap();
        for (from, to) in &changes {
            assert!(text.contains(from), "{} has no {from:?}", committed.display());
            text = text.replace(from, to);
        }
        let file = dir.path().join(software.file());
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(software.program());
        match software {
            Software::Nginx => command.args(["-g", "daemon off;", "-c"]).arg(&file),
            Software::Caddy => command.args(["run", "--config"]).arg(&file),
            Software::Haproxy => command.args(["-db", "-f"]).arg(&file),
        };
        // Where Caddy keeps its state.
        command.env("XDG_DATA_HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path());
        let process = Process::start_group(software.file(), &mut command);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { software, address, process, authority, dir, _files: files }
    }

    /// `None` if another program took the port.
    async fn serving(mut self) -> Option<Self> {
        let tunnel = self.tunnel().await;
        let http = Http::plain(&tunnel.address().to_string());
        let is_serving = eventually("the proxy serves", async || {
            if let Some(status) = self.process.exit_status() {
                let output = self.process.output();
                assert!(output.to_lowercase().contains("in use"), "{status}: {output}");
                return Some(false);
            }
            let answer = http.get("/healthz").try_send().await;
            answer.is_ok_and(|answer| answer.status == 200).then_some(true)
        })
        .await;
        is_serving.then_some(self)
    }

    /// Where clients without TLS reach it.
    pub async fn tunnel(&self) -> TlsTunnel {
        self.tunnel_from(Ipv4Addr::LOCALHOST).await
    }

    /// The same for clients that have another address: all of 127.0.0.0/8 is this machine's on
    /// Linux.
    pub async fn tunnel_from(&self, client: Ipv4Addr) -> TlsTunnel {
        let client = SocketAddrV4::new(client, 0).into();
        TlsTunnel::to(self.address, client, &self.authority.path()).await
    }

    /// Its access log, and everything that it printed.
    pub fn logs(&self) -> String {
        let log = std::fs::read_to_string(access_log(self.dir.path())).unwrap_or_default();
        log + &self.process.output()
    }
}

fn access_log(dir: &Path) -> PathBuf {
    dir.join("access.log")
}

fn nginx(dir: &Path, files: &TlsFiles, port: u16) -> Vec<Change> {
    let here = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .concat();
    // Workers of another user could not read the test's directory. Without root, nginx ignores it.
    vec![
        ("user www-data;", "user root;".to_owned()),
        ("/run/nginx.pid", format!("{here}/nginx.pid")),
        ("error_log /var/log/nginx/error.log", "error_log stderr".to_owned()),
        ("/var/log/nginx/access.log", access_log(dir).display().to_string()),
        ("http {\n", format!("http {{\n{temporary}")),
        ("listen 80;", format!("listen unix:{here}/redirects;")),
        ("listen [::]:80;", String::new()),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("listen [::]:443 ssl http2;", String::new()),
        ("/etc/ssl/bellwire/fullchain.pem", files.certificate().display().to_string()),
        ("/etc/ssl/bellwire/privkey.pem", files.key().display().to_string()),
    ]
}

fn caddy(dir: &Path, files: &TlsFiles, port: u16) -> Vec<Change> {
    let (certificate, key) = (files.certificate(), files.key());
    let site = format!("https://:{port} {{\n\ttls {} {}\n", certificate.display(), key.display());
    let global = "\tadmin off\n\tauto_https disable_redirects\n\tservers {\n";
    vec![
        ("{$BELLWIRE_SITE:bellwire.example.com} {\n", site),
        ("\tservers {\n", global.to_owned()),
        ("/var/log/caddy/access.log", access_log(dir).display().to_string()),
    ]
}

fn haproxy(dir: &Path, files: &TlsFiles, port: u16) -> Vec<Change> {
    // One file, as HAProxy wants it.
    let both = dir.join("bellwire.pem");
    let parts =
        [files.certificate(), files.key()].map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(&both, parts.concat()).unwrap();
    vec![
        ("  user haproxy\n  group haproxy\n", String::new()),
        ("/dev/log local0", "stdout format raw local0".to_owned()),
        ("bind :::80 v4v6\n", format!("bind unix@{}/redirects\n", dir.display())),
        ("bind :::443 v4v6 ssl", format!("bind 127.0.0.1:{port} ssl")),
        ("/etc/haproxy/bellwire.pem", both.display().to_string()),
    ]
}
