//! Combines command line, environment and file into the settings, and records the source of each.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use crate::config::Config;
use crate::config::file::{ConfigFile, is_number, settable};
use crate::config::flags::Cli;

/// How the names of the hub's variables start, but for those that other programs use, too.
const OUR_VARIABLES: &str = "BELLWIRE_";

/// The file's maximum size; a complete one has a few hundred lines.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The command and the sources of its settings.
pub struct Settings {
    pub cli: Cli,
    file: ConfigFile,
    /// The subcommand's matches, if there is one.
    matches: ArgMatches,
    command: Command,
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Includes `--help` and `--version`: clap decides where to print them.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    #[error("{0}")]
    File(String),
}

impl Settings {
    /// Reads the command line and the file named there or in the environment.
    ///
    /// # Errors
    /// The problem, with its flag, variable or line.
    pub fn read(arguments: &[OsString]) -> Result<Self, SettingsError> {
        let command = Cli::command();
        let matches = of_command(command.clone().try_get_matches_from(arguments)?);
        let path = matches.try_get_one::<String>("config").ok().flatten();
        let file = match path.filter(|path| !path.is_empty()) {
            Some(path) => read_file(path, &command).map_err(SettingsError::File)?,
            None => ConfigFile::default(),
        };
        // Applied to both places of `serve`'s flags; `token` has other flags, some with the same
        // names.
        let command = file.apply(command);
        let command = ["serve", "check-config"]
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, |sub| file.apply(sub)));
        let matches = command.clone().try_get_matches_from(arguments)?;
        let cli = Cli::from_arg_matches(&matches)?;
        Ok(Self { cli, file, matches: of_command(matches), command })
    }

    /// Every setting as a line of the file with its source in a comment. `config` gives the
    /// computed values.
    pub fn show(&self, config: &Config) -> String {
        let mut shown = String::new();
        for arg in settable(&self.command) {
            let key = arg.get_id().as_str();
            match self.value(arg, config) {
                Some(value) => {
                    let _ = writeln!(shown, "{key} = {value}  # {}", self.place(key));
                }
                None => {
                    let _ = writeln!(shown, "# {key} is not set");
                }
            }
        }
        let limits = &config.admission;
        let _ = writeln!(
            shown,
            "# results in: {} connections, {} of them sockets",
            limits.connections_max, limits.sockets_max
        );
        if config.keys.is_empty() {
            let _ = writeln!(shown, "# no key is configured: every handshake is refused");
        }
        shown
    }

    /// Which of `names` look like variables of ours and are none: misspelt, probably.
    pub fn unknown_variables(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        let all = [&self.command].into_iter().chain(self.command.get_subcommands());
        let known: BTreeSet<&OsStr> =
            all.flat_map(Command::get_arguments).filter_map(Arg::get_env).collect();
        let is_unknown = |name: &String| {
            name.starts_with(OUR_VARIABLES)
                && !known.contains(OsStr::new(name))
                && !is_of_kubernetes(name)
        };
        let mut unknown: Vec<String> = names.filter(is_unknown).collect();
        unknown.sort_unstable();
        unknown
    }

    /// The value in TOML; `None` if unset.
    fn value(&self, arg: &Arg, config: &Config) -> Option<String> {
        let key = arg.get_id().as_str();
        let kind = arg.get_value_parser().type_id();
        if key == "redis_url" {
            // The only setting that may hold a password.
            return Some(format!("{:?}", config.redis.to_string()));
        }
        if kind == TypeId::of::<bool>() {
            return self.matches.get_one::<bool>(key).map(bool::to_string);
        }
        let values = self.matches.get_raw(key).into_iter().flatten();
        let values = values.map(|value| value.to_string_lossy().trim().to_owned());
        let values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
        if arg.get_value_delimiter().is_some() {
            return Some(format!("{values:?}"));
        }
        let value = values.into_iter().next()?;
        Some(if is_number(kind) { value } else { format!("{value:?}") })
    }

    fn place(&self, key: &str) -> String {
        match self.matches.value_source(key) {
            Some(ValueSource::CommandLine) => "flag".to_owned(),
            Some(ValueSource::EnvVariable) => "environment".to_owned(),
            _ => self.file.place(key).unwrap_or_else(|| "default".to_owned()),
        }
    }
}

/// Kubernetes gives every container the addresses of the services in its namespace, such as
/// `BELLWIRE_HUB_SERVICE_HOST` and `BELLWIRE_HUB_PORT_3001_TCP_ADDR` for a service `bellwire-hub`.
fn is_of_kubernetes(name: &str) -> bool {
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

/// The subcommand's matches, if there is one.
fn of_command(mut matches: ArgMatches) -> ArgMatches {
    match matches.remove_subcommand() {
        Some((_, matches)) => matches,
        None => matches,
    }
}

fn read_file(path: &str, command: &Command) -> Result<ConfigFile, String> {
    let read = || -> std::io::Result<String> {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        match text.len() as u64 {
            0..=FILE_BYTES_MAX => Ok(text),
            _ => Err(std::io::ErrorKind::FileTooLarge.into()),
        }
    };
    let text = read()
        .map_err(|error| format!("--config (BELLWIRE_HUB_CONFIG): cannot read {path}: {error}"))?;
    ConfigFile::parse(path, &text, command)
}

#[cfg(test)]
mod tests;
