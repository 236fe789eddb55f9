//! The process: command line, log, signals. The library contains the hub itself.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use hub::config::Config;
use hub::config::dev_token;
use hub::config::flags::{CheckArgs, Command, ServeArgs};
use hub::config::sources::{self, Settings};
use hub::redis::preflight;
use hub::relay::Relay;
use hub::server::{self, Listeners};
use native::logging;
use native::process::{Signals, bind, bind_own, environment, exit_code, open_files};
use native::settings::{SettingsError, unknown_variables};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let outcome = match sources::read(&arguments) {
        Ok(settings) => run(&settings),
        Err(SettingsError::CommandLine(error)) => error.exit(),
        Err(error) => Err(error.into()),
    };
    exit_code("bellwire-hub", outcome)
}

fn run(settings: &Settings) -> Result<()> {
    match &settings.cli.command {
        None => serve(&settings.cli.serve, settings),
        Some(Command::Serve(args)) => serve(args, settings),
        Some(Command::CheckConfig(args)) => check(args, settings),
        Some(Command::Token(args)) => dev_token::print(args, &environment),
    }
}

/// Prints the settings, and then fails if they are valid but useless, as far as was asked for.
fn check(args: &CheckArgs, settings: &Settings) -> Result<()> {
    logging::check(args.serve.log.settings())?;
    let config = configure(&args.serve)?;
    let shown = sources::show(settings, &config);
    let unknown = unknown_variables(settings);
    for name in &unknown {
        writeln!(std::io::stderr(), "bellwire-hub: {name} is set, {NO_SETTING}")
            .context("cannot write to stderr")?;
    }
    write!(std::io::stdout(), "{shown}").context("cannot write to stdout")?;
    if args.strict && config.keys.is_empty() {
        bail!("{NO_KEY}");
    }
    if args.strict && !unknown.is_empty() {
        bail!("{} is set, {NO_SETTING}", unknown.join(", "));
    }
    if args.ask_redis {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let masters = runtime.block_on(preflight::ask(&config.redis, config.live))?;
        let servers = if masters == 1 { "server has" } else { "masters have" };
        writeln!(std::io::stdout(), "# Redis answers: {masters} {servers} every permission")
            .context("cannot write to stdout")?;
    }
    Ok(())
}

/// Why a hub without keys is of no use.
const NO_KEY: &str = "no key is configured (AUTH_HS256_KEY, AUTH_JWKS, a file of them, \
    AUTH_JWKS_URL or AUTH_ISSUER): every handshake is refused";

/// The configuration, validated as far as is possible without binding and connecting.
fn configure(args: &ServeArgs) -> Result<Config> {
    // For TLS to Redis and to the relay, which both use the process-wide provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // First, because the limits are computed from it.
    open_files::raise().context("cannot raise the limit of open files")?;
    Config::new(args, &environment)
}

/// What is wrong with an unknown variable. It is not an error: others may use names like ours.
const NO_SETTING: &str = "but no setting has this name";

fn serve(args: &ServeArgs, settings: &Settings) -> Result<()> {
    logging::init(args.log.settings())?;
    for variable in unknown_variables(settings) {
        tracing::warn!(%variable, "a variable is set, {NO_SETTING}");
    }
    let mut config = configure(args)?;
    let relay = config.relay.clone().map(Relay::new).transpose();
    let relay = relay.context("BELLWIRE_FUNCTIONS_URL: cannot load certificates for https")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        let listener = bind(config.listen, config.listen_backlog)
            .with_context(|| format!("--listen (BELLWIRE_HUB_LISTEN): {}", config.listen))?;
        let (metrics, console) = (config.metrics.listen, config.console.listen);
        let own = metrics.filter(|address| Some(*address) != console);
        let listeners = Listeners {
            clients: listener,
            metrics: bind_own(own, "--metrics-listen (BELLWIRE_HUB_METRICS_LISTEN)")?,
            console: bind_own(console, "--console-listen (BELLWIRE_HUB_CONSOLE_LISTEN)")?,
        };
        let address = listeners.clients.local_addr()?;
        tracing::info!(%address, redis = %config.redis, "starting");
        if config.keys.is_empty() {
            tracing::warn!("{NO_KEY}");
        }
        config.listens_on(address.port());
        if config.demo.is_some() {
            tracing::warn!(
                "--demo is on, for development only: everyone on this machine can get tokens of \
                 its users"
            );
        }
        writeln!(std::io::stdout(), "Listening http://{address}")
            .context("cannot write to stdout")?;
        server::run(listeners, config, relay, signals.asked_to_end())
            .await
            .context("the hub failed")
    })
}
