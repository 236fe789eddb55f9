//! The commands: each reads its arguments, makes its calls and prints what came of them.

mod cache;
mod campaigns;
mod devices;
mod feed;
mod import;
mod notify;
mod pages;
mod presence;
mod probe;
mod queue;
mod queues;
mod read;
mod token;
mod watch;

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::api::Api;
use crate::args::{Cli, Command};
use crate::doctor;
use crate::failure::{EXIT_CODES, Failure, Kind, Outcome};
use crate::output::Output;
use crate::settings::Settings;

/// What every command gets.
pub struct Context {
    pub settings: Settings,
    pub output: Output,
}

impl Context {
    /// The functions, with the token of the settings.
    ///
    /// # Errors
    /// There is no token, or it cannot be read.
    pub fn functions(&self) -> Outcome<Api> {
        let token = self.settings.token.read()?;
        Api::new(&self.settings.url, Some(token), self.settings.timeout)
    }
}

/// Runs the command of the command line.
///
/// # Errors
/// What failed.
pub async fn run(cli: &Cli, output: Output) -> Outcome<ExitCode> {
    match &cli.command {
        Command::Completions(args) => return completions(args),
        Command::Man(args) => return man(args),
        Command::Probe(args) => {
            probe::run(args, std::time::Duration::from_secs(cli.global.timeout)).await?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let env = |name: &str| std::env::var(name).ok();
    let settings = Settings::read(&cli.global, &env)?;
    let context = Context { settings, output };
    match &cli.command {
        Command::Watch(args) => watch::run(&context, args).await,
        Command::Notify(args) => notify::run(&context, args).await,
        Command::Feed(args) => feed::run(&context, args).await,
        Command::Read(args) => read::run(&context, args).await,
        Command::Presence(args) => presence::run(&context, args).await,
        Command::Queues(args) => queues::run(&context, args).await,
        Command::Queue(command) => queue::run(&context, command).await,
        Command::Campaign(command) => campaigns::run(&context, command).await,
        Command::Import(args) => import::run(&context, args).await,
        Command::Devices(args) => devices::run(&context, args).await,
        Command::Cache(command) => cache::run(&context, command).await,
        Command::Token(args) => token::run(&context, args),
        Command::Doctor(args) => return doctor::run(&context, args, &env).await,
        Command::Completions(_) | Command::Man(_) | Command::Probe(_) => Ok(()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn completions(args: &crate::args::Completions) -> Outcome<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bellwire", &mut script);
    write(&script)
}

fn man(args: &crate::args::Man) -> Outcome<ExitCode> {
    let Some(dir) = &args.dir else { return write(&main_page()?) };
    let cannot = |error| Failure::failed(format!("cannot write to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(cannot)?;
    std::fs::write(dir.join("bellwire.1"), main_page()?).map_err(cannot)?;
    Ok(ExitCode::SUCCESS)
}

/// The page of `bellwire` itself, with the exit codes as a section.
fn main_page() -> Outcome<Vec<u8>> {
    let command = Cli::command().after_help(None::<&str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n.nf\n");
    for line in EXIT_CODES.lines().skip(1) {
        page.extend_from_slice(format!("{}\n", line.trim_start().replace('-', "\\-")).as_bytes());
    }
    page.extend_from_slice(b".fi\n");
    Ok(page)
}

fn write(bytes: &[u8]) -> Outcome<ExitCode> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, for commands with work that can be left.
pub async fn interrupted() -> Failure {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Failure::new(Kind::Interrupted, "ended by Ctrl-C"),
        // Without the signal the system ends the process.
        Err(_) => std::future::pending().await,
    }
}

/// A random name for a call that may be sent twice.
pub fn random_key() -> String {
    format!("cli-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
