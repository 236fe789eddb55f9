//! Settings of a redis-server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use redis::{Client, TlsCertificates};

use crate::servers::certificate::TlsFiles;

/// The data that outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// Only the data of a `SAVE`.
    #[default]
    None,
    /// An append-only file, synced before each answer.
    EveryCommand,
    /// An append-only file, synced every second, as on most servers.
    EverySecond,
}

/// How a server is started, and whether it may leave keys behind.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub persistence: Persistence,
    /// Keys without an expiry do not fail the test: it writes some itself, or has its own check.
    pub may_leave_keys: bool,
    /// The port of the cluster's own traffic, for a node of a Redis Cluster.
    pub cluster_port: Option<u16>,
    /// Encrypts every connection; there is no port without TLS.
    pub tls: Option<Arc<TlsFiles>>,
    /// The password of every connection.
    pub password: Option<&'static str>,
    /// Where the server writes its files, instead of a directory of its own.
    pub dir: Option<PathBuf>,
    pub environment: Vec<(&'static str, OsString)>,
}

/// Time without an answer until the nodes of a test's cluster count one as failed.
const NODE_TIMEOUT_MS: &str = "2000";

impl Options {
    pub(super) fn url(&self, address: &str) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        let login = self.password.map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{scheme}://{login}{address}")
    }

    /// A client of the test itself, which trusts the server's authority only.
    pub(super) fn client(&self, url: &str) -> Client {
        let client = match &self.tls {
            None => Client::open(url),
            Some(files) => {
                let root_cert = Some(std::fs::read(&files.authority).unwrap());
                Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })
            }
        };
        client.unwrap()
    }

    /// Listens on the loopback interface only, and writes only to `dir`.
    pub(super) fn command(&self, port: u16, dir: &Path) -> Command {
        let (append_only, sync) = match self.persistence {
            Persistence::None => ("no", "no"),
            Persistence::EveryCommand => ("yes", "always"),
            Persistence::EverySecond => ("yes", "everysec"),
        };
        let mut command = Command::new("redis-server");
        let port = port.to_string();
        match &self.tls {
            None => command.args(["--port", &port]),
            Some(files) => {
                command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
                command.arg("--tls-cert-file").arg(files.certificate());
                command.arg("--tls-key-file").arg(files.key());
                command.arg("--tls-ca-cert-file").arg(&files.authority)
            }
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(["--bind", "127.0.0.1", "--save", ""]);
        if let Some(password) = self.password {
            command.args(["--requirepass", password]);
        }
        command.args(["--appendonly", append_only, "--appendfsync", sync]);
        command.arg("--dir").arg(dir);
        if let Some(cluster_port) = self.cluster_port {
            command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
            command.args(["--cluster-port", &cluster_port.to_string()]);
            command.args(["--cluster-node-timeout", NODE_TIMEOUT_MS]);
            // One lost master shall cost its own slots only.
            command.args(["--cluster-require-full-coverage", "no"]);
            command.args(["--cluster-replica-validity-factor", "0"]);
            if self.tls.is_some() {
                command.args(["--tls-cluster", "yes", "--tls-replication", "yes"]);
            }
            if let Some(password) = self.password {
                command.args(["--masterauth", password]);
            }
        }
        command
    }
}
