//! The process: command line, log, signals. The library contains the hub itself.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use hub::config::Config;
use hub::config::flags::{Command, ServeArgs};
use hub::config::sources::{Settings, SettingsError};
use hub::config::{dev_token, logging, open_files};
use hub::limits::SCRAPES_MAX;
use hub::relay::Relay;
use hub::server::{self, Listeners};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let outcome = match Settings::read(&arguments) {
        Ok(settings) => run(&settings),
        Err(SettingsError::CommandLine(error)) => error.exit(),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be initialised yet, and the message is for the person who started the
            // process.
            let _ = writeln!(std::io::stderr(), "bellwire-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> Result<()> {
    match &settings.cli.command {
        None => serve(&settings.cli.serve, settings),
        Some(Command::Serve(args)) => serve(args, settings),
        Some(Command::CheckConfig(args)) => {
            logging::check(&args.log)?;
            let shown = settings.show(&configure(args)?);
            for name in unknown_variables(settings) {
                writeln!(std::io::stderr(), "bellwire-hub: {name} is set, {NO_SETTING}")
                    .context("cannot write to stderr")?;
            }
            write!(std::io::stdout(), "{shown}").context("cannot write to stdout")
        }
        Some(Command::Token(args)) => dev_token::print(args, &environment),
    }
}

/// The configuration, validated as far as is possible without binding and connecting.
fn configure(args: &ServeArgs) -> Result<Config> {
    // For TLS to Redis and to the relay, which both use the process-wide provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // First, because the limits are computed from it.
    open_files::raise().context("cannot raise the limit of open files")?;
    Config::new(args, &environment)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What is wrong with an unknown variable. It is not an error: others may use names like ours.
const NO_SETTING: &str = "but no setting has this name";

fn unknown_variables(settings: &Settings) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    settings.unknown_variables(names)
}

fn serve(args: &ServeArgs, settings: &Settings) -> Result<()> {
    logging::init(&args.log)?;
    for variable in unknown_variables(settings) {
        tracing::warn!(%variable, "a variable is set, {NO_SETTING}");
    }
    let mut config = configure(args)?;
    let relay = config.relay.clone().map(Relay::new).transpose();
    let relay = relay.context("BELLWIRE_FUNCTIONS_URL: cannot load certificates for https")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
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
            tracing::warn!(
                "no key is configured (AUTH_HS256_KEY or AUTH_JWKS, or a file): every handshake \
                 is refused"
            );
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
        server::run(listeners, config, relay, async {
            signals.next().await;
            // A second signal ends the process at once.
            tokio::spawn(async move {
                signals.next().await;
                std::process::exit(130);
            });
        })
        .await
        .context("the hub failed")
    })
}

/// The listener of an address for operators, if there is one.
fn bind_own(address: Option<SocketAddr>, setting: &str) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    // Few connect there, so that they need no longer queue.
    let listener = bind(address, SCRAPES_MAX as u32);
    listener.map(Some).with_context(|| format!("{setting}: {address}"))
}

/// As [`TcpListener::bind`], with a configurable backlog.
fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted hub must not wait until the old connections have left TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
