//! The process: command line, log, signals. The library contains the worker itself.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use native::logging;
use native::process::{Signals, bind_own, exit_code};
use native::settings::{SettingsError, unknown_variables};
use pusher::config::Config;
use pusher::config::flags::{Command, ServeArgs};
use pusher::config::sources::{self, Settings};
use pusher::vapid_key;
use pusher::worker::Worker;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let outcome = match sources::read(&arguments) {
        Ok(settings) => run(&settings),
        Err(SettingsError::CommandLine(error)) => error.exit(),
        Err(error) => Err(error.into()),
    };
    exit_code("bellwire-push", outcome)
}

fn run(settings: &Settings) -> Result<()> {
    // For TLS to Redis and to the functions, which both use the process-wide provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &settings.cli.command {
        None => serve(&settings.cli.serve, settings),
        Some(Command::Serve(args)) => serve(args, settings),
        Some(Command::CheckConfig(args)) => check_config(args, settings),
        Some(Command::VapidKey(args)) => {
            let public = vapid_key::make(&args.file)?;
            writeln!(std::io::stdout(), "{public}").context("cannot write to stdout")
        }
    }
}

/// What is wrong with an unknown variable. It is not an error: others may use names like ours.
const NO_SETTING: &str = "but no setting has this name";

fn check_config(args: &ServeArgs, settings: &Settings) -> Result<()> {
    logging::check(args.log.settings())?;
    let config = Config::new(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (worker, key) = runtime.block_on(async {
        let worker = Worker::new(config).await?;
        let key = worker.vapid_public_key().await;
        anyhow::Ok((worker, key))
    })?;
    for name in unknown_variables(settings) {
        writeln!(std::io::stderr(), "bellwire-push: {name} is set, {NO_SETTING}")
            .context("cannot write to stderr")?;
    }
    let shown = sources::show(settings, worker.config(), key.as_deref());
    write!(std::io::stdout(), "{shown}").context("cannot write to stdout")
}

fn serve(args: &ServeArgs, settings: &Settings) -> Result<()> {
    logging::init(args.log.settings())?;
    for variable in unknown_variables(settings) {
        tracing::warn!(%variable, "a variable is set, {NO_SETTING}");
    }
    let config = Config::new(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        let metrics = config.metrics.listen;
        let listener = bind_own(metrics, "--metrics-listen (BELLWIRE_PUSH_METRICS_LISTEN)")?;
        let (functions, redis) = (config.functions.base.clone(), config.redis.to_string());
        let worker = Worker::new(config).await?;
        let vapid_public_key = worker.vapid_public_key().await;
        tracing::info!(%functions, %redis, vapid_public_key, "starting");
        if args.is_development() {
            tracing::warn!("--development is on: services may be without TLS, and on this machine");
        }
        if let Some(listener) = &listener {
            writeln!(std::io::stdout(), "Listening http://{}", listener.local_addr()?)
                .context("cannot write to stdout")?;
        }
        worker.run(listener, signals.asked_to_end()).await
    })
}
