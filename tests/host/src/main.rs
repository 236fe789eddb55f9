//! The process: the runtime, signals, the exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use host::app::App;
use host::cli::Args;
use tokio::signal::unix::{SignalKind, signal};

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
    // Like Spin, does not wait for requests or for work after them.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let serve = async {
        let app = App::start(&args).await?;
        // Serves even if standard output is closed.
        let _ = std::io::stdout().write_all(app.routes().as_bytes());
        app.serve().await
    };
    tokio::select! {
        served = serve => served,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {error:#}");
    ExitCode::FAILURE
}
