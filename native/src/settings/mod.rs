//! Combines command line, environment and file into the settings, and records the source of each.

pub mod file;
mod listen;
pub mod sample;

use std::any::TypeId;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::limits::SETTINGS_FILE_BYTES_MAX;
use file::{ConfigFile, is_number, settable};

pub use listen::listen;

/// How the names of all programs' variables start, but for those that others use, too.
const OUR_VARIABLES: &str = "BELLWIRE_";

/// The variables of the command `bellwire`, which may stand in everyone's environment.
const OF_THE_COMMAND: [&str; 9] = [
    "BELLWIRE_CONFIG",
    "BELLWIRE_HUB_URL",
    "BELLWIRE_KEY_FILE",
    "BELLWIRE_POSTGRES_URL",
    "BELLWIRE_PROFILE",
    "BELLWIRE_REDIS_URL",
    "BELLWIRE_TOKEN",
    "BELLWIRE_TOKEN_FILE",
    "BELLWIRE_URL",
];

/// What a program's command line has besides its flags.
#[derive(Debug)]
pub struct Program {
    /// Flag and variable of the file, for errors.
    pub config_setting: &'static str,
    /// The subcommands with the flags of the program itself.
    pub serving: &'static [&'static str],
    /// How the names of other programs' variables start, which may stand in the same environment.
    pub others: &'static [&'static str],
}

/// The command and the sources of its settings.
pub struct Settings<C> {
    /// The parsed command line.
    pub cli: C,
    file: ConfigFile,
    /// The subcommand's matches, if there is one.
    matches: ArgMatches,
    command: Command,
    program: &'static Program,
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Includes `--help` and `--version`: clap decides where to print them.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The file's problem, with its line.
    #[error("{0}")]
    File(String),
}

impl<C: CommandFactory + FromArgMatches> Settings<C> {
    /// Reads the command line and the file named there or in the environment.
    ///
    /// # Errors
    /// The problem, with its flag, variable or line.
    pub fn read(program: &'static Program, arguments: &[OsString]) -> Result<Self, SettingsError> {
        let command = C::command();
        let matches = of_command(command.clone().try_get_matches_from(arguments)?);
        let path = matches.try_get_one::<String>("config").ok().flatten();
        let file = match path.filter(|path| !path.is_empty()) {
            Some(path) => read_file(program, path, &command).map_err(SettingsError::File)?,
            None => ConfigFile::default(),
        };
        // Applied to all places of the program's flags; other subcommands have other flags, some
        // with the same names.
        let command = file.apply(command);
        let command = program
            .serving
            .iter()
            .fold(command, |command, name| command.mut_subcommand(name, |sub| file.apply(sub)));
        let matches = command.clone().try_get_matches_from(arguments)?;
        let cli = C::from_arg_matches(&matches)?;
        Ok(Self { cli, file, matches: of_command(matches), command, program })
    }

    /// Every setting as a line of the file with its source in a comment. `shown` replaces values
    /// that must not be printed as they are.
    pub fn show(&self, shown: &dyn Fn(&str) -> Option<String>) -> String {
        let mut text = String::new();
        for arg in settable(&self.command) {
            let key = arg.get_id().as_str();
            let value = shown(key).map(|value| format!("{value:?}")).or_else(|| self.value(arg));
            match value {
                Some(value) => {
                    let _ = writeln!(text, "{key} = {value}  # {}", self.place(key));
                }
                None => {
                    let _ = writeln!(text, "# {key} is not set");
                }
            }
        }
        text
    }

    /// Which of `names` look like variables of ours and are none: misspelt, probably.
    pub fn unknown_variables(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        let all = [&self.command].into_iter().chain(self.command.get_subcommands());
        let known: BTreeSet<&OsStr> =
            all.flat_map(Command::get_arguments).filter_map(Arg::get_env).collect();
        let is_unknown = |name: &String| {
            name.starts_with(OUR_VARIABLES)
                && !self.program.others.iter().any(|prefix| name.starts_with(prefix))
                && !known.contains(OsStr::new(name))
                && !OF_THE_COMMAND.contains(&name.as_str())
                && !is_of_kubernetes(name)
        };
        let mut unknown: Vec<String> = names.filter(is_unknown).collect();
        unknown.sort_unstable();
        unknown
    }

    /// The value in TOML; `None` if unset.
    fn value(&self, arg: &Arg) -> Option<String> {
        let key = arg.get_id().as_str();
        let kind = arg.get_value_parser().type_id();
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

/// The variables of this process that look like ours and are none; see
/// [`Settings::unknown_variables`].
pub fn unknown_variables<C: CommandFactory + FromArgMatches>(
    settings: &Settings<C>,
) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    settings.unknown_variables(names)
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

fn read_file(program: &Program, path: &str, command: &Command) -> Result<ConfigFile, String> {
    let read = || -> std::io::Result<String> {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?.take(SETTINGS_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        match text.len() as u64 {
            0..=SETTINGS_FILE_BYTES_MAX => Ok(text),
            _ => Err(std::io::ErrorKind::FileTooLarge.into()),
        }
    };
    let text = read()
        .map_err(|error| format!("{}: cannot read {path}: {error}", program.config_setting))?;
    ConfigFile::parse(path, &text, command)
}
