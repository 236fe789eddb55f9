//! From the command line, the environment and the file to the settings, and where each comes from.

use std::any::TypeId;
use std::ffi::OsString;
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use crate::config::Config;
use crate::config::file::{ConfigFile, is_number, settable};
use crate::config::flags::Cli;

/// A file with settings is a few hundred lines.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What to do, and where its settings come from.
pub struct Settings {
    pub cli: Cli,
    file: ConfigFile,
    /// Of the subcommand, where there is one.
    matches: ArgMatches,
    command: Command,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Also `--help` and `--version`: clap knows what to print where.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    #[error("{0}")]
    File(String),
}

impl Settings {
    /// Reads the command line, and the file that it or the environment names.
    ///
    /// # Errors
    /// What is wrong, with flag, variable or line.
    pub fn read(arguments: &[OsString]) -> Result<Self, SettingsError> {
        let command = Cli::command();
        let matches = of_command(command.clone().try_get_matches_from(arguments)?);
        let path = matches.try_get_one::<String>("config").ok().flatten();
        let file = match path.filter(|path| !path.is_empty()) {
            Some(path) => read_file(path, &command).map_err(SettingsError::File)?,
            None => ConfigFile::default(),
        };
        // Wherever `serve`'s flags are; `token` has others, some of the same name.
        let command = file.apply(command);
        let command = ["serve", "check-config"]
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, |sub| file.apply(sub)));
        let matches = command.clone().try_get_matches_from(arguments)?;
        let cli = Cli::from_arg_matches(&matches)?;
        Ok(Self { cli, file, matches: of_command(matches), command })
    }

    /// Every setting as a line of the file, with where it comes from. `config` is what they came to.
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
            "# comes to: {} connections, {} of them sockets",
            limits.connections_max, limits.sockets_max
        );
        if config.keys.is_empty() {
            let _ = writeln!(shown, "# no key is configured: every handshake is refused");
        }
        shown
    }

    /// As the file would have it; `None` where nothing is set.
    fn value(&self, arg: &Arg, config: &Config) -> Option<String> {
        let key = arg.get_id().as_str();
        let kind = arg.get_value_parser().type_id();
        if key == "redis_url" {
            // The one that may hold a password.
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

/// Of the subcommand, where there is one.
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
