//! The process: command line, log, signals. The hub itself is the library.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser as _;
use hub::cli::{Cli, Command, ServeArgs};
use hub::config::Config;
use hub::relay::Relay;
use hub::{logging, server, token};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => serve(&cli.serve),
        Some(Command::Serve(args)) => serve(&args),
        Some(Command::Token(args)) => token::print(&args, &environment),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be up yet, and this is for whoever started the process.
            let _ = writeln!(std::io::stderr(), "bellwire-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn serve(args: &ServeArgs) -> Result<()> {
    logging::init(&args.log)?;
    // Redis and the relay may use TLS; both take the process's provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::new(args, &environment)?;
    let relay = config.relay.clone().map(Relay::new).transpose();
    let relay = relay.context("BELLWIRE_FUNCTIONS_URL: no certificates to check https with")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("--listen (BELLWIRE_HUB_LISTEN): {}", config.listen))?;
        let address = listener.local_addr()?;
        tracing::info!(%address, redis = %config.redis, "starting");
        if config.keys.is_empty() {
            tracing::warn!(
                "no key is configured (AUTH_HS256_KEY or AUTH_JWKS, or a file): every handshake \
                 is refused"
            );
        }
        writeln!(std::io::stdout(), "Listening http://{address}").context("stdout")?;
        server::run(listener, config, relay, async {
            signals.next().await;
            // Whoever asks twice does not want to wait.
            tokio::spawn(async move {
                signals.next().await;
                std::process::exit(130);
            });
        })
        .await
        .context("cannot start")
    })
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
