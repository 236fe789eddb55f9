//! The state of one instance: its WASI context and its side of every interface.
//!
//! Components share nothing: permissions are copied per instance, and only instances of the same
//! component share its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::allowed_hosts::AllowedHosts;
use crate::outbound_http::{HttpClient, OutboundHttp};
use crate::postgres::{Pools, PostgresState};
use crate::redis::RedisState;
use crate::sqlite::{Location, SqliteState};
use crate::stdio::Lines;
use crate::variables::{Variables, VariablesState};

/// A component's permissions; the same for all its instances.
pub(crate) struct Permissions {
    pub(crate) component: Arc<str>,
    pub(crate) variables: Arc<Variables>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) allowed_hosts: Arc<AllowedHosts>,
    /// Connections outlive instances.
    pub(crate) postgres_pools: Arc<Pools>,
    pub(crate) sqlite_databases: Arc<BTreeSet<String>>,
    pub(crate) sqlite_locations: Arc<BTreeMap<String, Location>>,
    /// Mounted read-only at `/`.
    pub(crate) files: Option<PathBuf>,
    pub(crate) http_client: HttpClient,
    pub(crate) quiet: bool,
}

/// The data of one instance's store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound_http: OutboundHttp,
    pub(crate) postgres: PostgresState,
    pub(crate) redis: RedisState,
    pub(crate) sqlite: SqliteState,
    pub(crate) variables: VariablesState,
}

impl State {
    pub(crate) fn new(permissions: &Permissions) -> wasmtime::Result<Self> {
        let mut wasi = WasiCtxBuilder::new();
        // Sockets stay denied: `tcp://` rules are for drivers that this host lacks.
        wasi.envs(&permissions.environment);
        if !permissions.quiet {
            wasi.stdout(Lines).stderr(Lines);
        }
        if let Some(files) = &permissions.files {
            wasi.preopened_dir(files, "/", FsPerms::ReadOnly)?;
        }
        let allowed_hosts = &permissions.allowed_hosts;
        Ok(Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound_http: OutboundHttp {
                client: permissions.http_client.clone(),
                allowed_hosts: allowed_hosts.clone(),
            },
            postgres: PostgresState::new(allowed_hosts.clone(), permissions.postgres_pools.clone()),
            redis: RedisState::new(allowed_hosts.clone()),
            sqlite: SqliteState::new(
                permissions.sqlite_databases.clone(),
                permissions.sqlite_locations.clone(),
            ),
            variables: VariablesState {
                component: permissions.component.clone(),
                variables: permissions.variables.clone(),
            },
        })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outbound_http,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
