//! The wasmtime engine, the imports of components, and their compilation.

use std::path::{Path, PathBuf};

use anyhow::bail;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::bindings::{postgres, redis, sqlite, variables};
use crate::manifest::Manifest;
use crate::postgres::HasPostgres;
use crate::redis::HasRedis;
use crate::sqlite::HasSqlite;
use crate::state::State;
use crate::variables::HasVariables;

/// Spin's limit on live instances of the whole application.
const INSTANCES_MAX: u32 = 1_000;
const MIB: usize = 1 << 20;

/// `cache_dir`: `None` compiles everything on every start.
pub(crate) fn engine(cache_dir: Option<&Path>) -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    if let Some(cache_dir) = cache_dir {
        let mut cache = CacheConfig::new();
        cache.with_directory(cache_dir);
        config.cache(Some(Cache::new(cache)?));
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    if let Ok(engine) = Engine::new(&config) {
        return Ok(engine);
    }
    // The pool reserves 4 GiB of address space per instance, more than some systems permit.
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Ok(Engine::new(&config)?)
}

/// Spin's sizes.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_tables(2 * INSTANCES_MAX)
        .total_stacks(INSTANCES_MAX)
        .total_core_instances(4 * INSTANCES_MAX)
        .table_elements(100_000)
        .max_component_instance_size(10 * MIB)
        .max_core_instance_size(10 * MIB)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_module(2)
        .max_memories_per_module(2)
        .linear_memory_keep_resident(2 * MIB)
        .table_keep_resident(MIB / 2);
    pool
}

fn linker(engine: &Engine) -> anyhow::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    postgres::add_to_linker::<_, HasPostgres>(&mut linker, |state: &mut State| {
        &mut state.postgres
    })?;
    redis::add_to_linker::<_, HasRedis>(&mut linker, |state: &mut State| &mut state.redis)?;
    sqlite::add_to_linker::<_, HasSqlite>(&mut linker, |state: &mut State| &mut state.sqlite)?;
    variables::add_to_linker::<_, HasVariables>(&mut linker, |state: &mut State| {
        &mut state.variables
    })?;
    Ok(linker)
}

/// Compiles all components of the manifest in parallel; returns them in the manifest's order.
pub(crate) fn compile(
    engine: &Engine,
    manifest: &Manifest,
    app_dir: &Path,
) -> anyhow::Result<Vec<(String, ServicePre<State>)>> {
    let missing: Vec<PathBuf> = manifest
        .components
        .values()
        .map(|component| app_dir.join(&component.source))
        .filter(|source| !source.is_file())
        .collect();
    if !missing.is_empty() {
        let list: Vec<_> = missing.iter().map(|path| format!("  {}", path.display())).collect();
        bail!("components are not built:\n{}\nBuild them with `make build`.", list.join("\n"));
    }
    let linker = &linker(engine)?;
    std::thread::scope(|scope| {
        let started: Vec<_> = manifest
            .components
            .iter()
            .map(|(id, component)| {
                let source = app_dir.join(&component.source);
                (id.clone(), scope.spawn(move || compile_one(engine, linker, &source)))
            })
            .collect();
        let finished = started.into_iter().map(|(id, compiling)| {
            let Ok(compiled) = compiling.join() else { bail!("compiling {id} panicked") };
            Ok((id, compiled?))
        });
        finished.collect()
    })
}

fn compile_one(
    engine: &Engine,
    linker: &Linker<State>,
    source: &Path,
) -> anyhow::Result<ServicePre<State>> {
    let shown = source.display();
    let component = Component::from_file(engine, source)
        .map_err(|error| anyhow::Error::from(error).context(format!("cannot compile {shown}")))?;
    let ready = linker.instantiate_pre(&component).map_err(|error| {
        anyhow::Error::from(error).context(format!("{shown} imports what this host does not have"))
    })?;
    ServicePre::new(ready).map_err(|error| {
        anyhow::Error::from(error).context(format!("{shown} is not a WASI 0.3 HTTP component"))
    })
}
