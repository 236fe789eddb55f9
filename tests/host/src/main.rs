//! The process: the runtime, signals, the exit code.

use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;

use clap::Parser;
use host::app::App;
use host::cli::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

fn main() -> ExitCode {
    let args = Args::parse();
    // For TLS to Redis, whose client uses the process-wide provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(run(args));
    host::process_ends();
    // Like Spin, does not wait for work after the answers.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    let app = tokio::select! {
        app = App::start(&args) => app?,
        () = signals.next() => return Ok(()),
    };
    // Serves even if standard output is closed.
    let _ = std::io::stdout().write_all(app.routes().as_bytes());
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serve = pin!(app.serve(async {
        let _ = stopped.await;
    }));
    tokio::select! {
        served = &mut serve => return served,
        () = signals.next() => drop(stop),
    }
    // A second signal ends it at once.
    tokio::select! {
        served = serve => served,
        () = signals.next() => Ok(()),
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {error:#}");
    ExitCode::FAILURE
}
