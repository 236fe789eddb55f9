//! The start: from the command line to a serving application. Finds every error of the
//! configuration before the port opens.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tempfile::TempDir;
use tokio::net::TcpListener;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::allowed_hosts::AllowedHosts;
use crate::cli::Args;
use crate::manifest::Manifest;
use crate::outbound_http::HttpClient;
use crate::router::Router;
use crate::server::Server;
use crate::state::Permissions;
use crate::variables::Variables;
use crate::worker::{Limits, Workers};
use crate::{engine, files, runtime_config, seed};

/// An application that listens but does not serve yet.
pub struct App {
    server: Arc<Server>,
    listener: TcpListener,
    address: SocketAddr,
    /// The components' files; deleted when dropped.
    _files: Vec<TempDir>,
    table: Vec<(String, String, bool)>,
}

impl App {
    pub async fn start(args: &Args) -> anyhow::Result<Self> {
        let manifest = Manifest::read(&args.manifest)?;
        let manifest_path = absolute(&args.manifest)?;
        let app_dir = manifest_path.parent().unwrap_or(&manifest_path).to_owned();
        let router = Router::new(&manifest)?;
        let variables =
            Arc::new(Variables::new(&manifest, &args.variables, |name| std::env::var(name).ok())?);
        let state_dir = args.state_dir.as_deref();
        let databases =
            runtime_config::databases(args.runtime_config_file.as_deref(), state_dir, &app_dir)?;
        runtime_config::check_databases(&manifest, &databases)?;
        seed::run(&args.sqlite_statements, &databases)?;
        let databases = Arc::new(databases);

        let engine = engine::engine(cache_dir(args.cache_dir.as_deref()).as_deref())?;
        let own_address = Arc::new(OnceLock::new());
        let http_client = HttpClient::new(own_address.clone());
        let limits = limits(args);
        let mut components = HashMap::new();
        let mut all_files = Vec::new();
        for (id, service) in engine::compile(&engine, &manifest, &app_dir)? {
            let component = &manifest.components[&id];
            let allowed_hosts = AllowedHosts::new(&component.allowed_outbound_hosts, &variables)
                .with_context(|| format!("component {id}"))?;
            let files =
                files::copy(component, &app_dir).with_context(|| format!("component {id}"))?;
            let environment = component.environment.iter();
            let permissions = Permissions {
                component: id.as_str().into(),
                variables: variables.clone(),
                environment: environment.map(|(k, v)| (k.clone(), v.clone())).collect(),
                allowed_hosts: Arc::new(allowed_hosts),
                postgres_pools: Arc::default(),
                sqlite_databases: Arc::new(component.sqlite_databases.iter().cloned().collect()),
                sqlite_locations: databases.clone(),
                files: files.as_ref().map(|dir| dir.path().to_owned()),
                http_client: http_client.clone(),
                quiet: args.quiet,
            };
            all_files.extend(files);
            components.insert(id, ProxyHandler::new(Workers { service, permissions, limits }));
        }

        let listener = listen(&args.listen).await?;
        let address = listener.local_addr()?;
        let _ = own_address.set(address);
        let table = router.table();
        let server = Arc::new(Server::new(router, components, args.max_requests_in_flight));
        Ok(Self { server, listener, address, _files: all_files, table })
    }

    /// The address it listens on, with the real port if port 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Prints the first line, which programs wait for, and a table for people. Written at once,
    /// because a reader may close the pipe after the first line.
    pub fn routes(&self) -> String {
        let base = format!("http://{}", self.address);
        let mut text = format!("Serving {base}\nAvailable Routes:\n");
        for (component, path, wildcard) in &self.table {
            let wildcard = if *wildcard { " (wildcard)" } else { "" };
            text += &format!("  {component}: {base}{path}{wildcard}\n");
        }
        text
    }

    /// Serves until `stop`, and then answers the requests that it has, in a bounded time.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.server.clone().run(self.listener, stop).await
    }
}

fn limits(args: &Args) -> Limits {
    Limits {
        requests_max: args.max_instance_reuse_count,
        requests_concurrent_max: args.max_instance_concurrent_reuse_count,
        idle: args.idle_instance_timeout,
        request: args.request_timeout.and_then(|limit| limit.0).unwrap_or(Duration::MAX),
    }
}

/// Beside the program, so that all tests of one build share it and `cargo clean` removes it.
fn cache_dir(given: Option<&Path>) -> Option<PathBuf> {
    if let Some(given) = given {
        return absolute(given).ok();
    }
    let program = std::env::current_exe().ok()?;
    let dir = program.parent()?.join("bellwire-host-cache");
    // An installed program may be in a read-only directory: then it works without a cache.
    std::fs::create_dir_all(&dir).is_ok().then_some(dir)
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let resolved: Vec<_> = tokio::net::lookup_host(address)
        .await
        .with_context(|| format!("--listen {address:?} is not an address and a port"))?
        .collect();
    // Like Spin, prefers the IPv4 address of localhost.
    let local = resolved.iter().find(|found| found.ip() == std::net::Ipv4Addr::LOCALHOST);
    let chosen = *local
        .or(resolved.first())
        .with_context(|| format!("--listen {address:?} resolves to nothing"))?;
    TcpListener::bind(chosen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!("{chosen} is already in use: choose another --listen"),
        _ => anyhow!("cannot listen on {chosen}: {error}"),
    })
}
