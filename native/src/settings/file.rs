//! The configuration file: TOML, one key per flag, with `_` instead of `-`. Its values replace the
//! flags' defaults, so flags and variables override them, and clap validates all three alike.
//! Errors name file and line.

use std::any::TypeId;

use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Flags that are not settings.
const NOT_IN_FILE: [&str; 3] = ["config", "help", "version"];

/// The parsed file.
#[derive(Debug, Default)]
pub struct ConfigFile {
    path: String,
    settings: Vec<Setting>,
}

#[derive(Debug)]
struct Setting {
    /// The flag's clap id.
    key: String,
    line: usize,
    values: Vec<String>,
}

/// The flags that the file may set.
pub fn settable(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_setting = |arg: &&Arg| !NOT_IN_FILE.contains(&arg.get_id().as_str());
    command.get_arguments().filter(is_setting)
}

impl ConfigFile {
    /// Validates each setting by itself. `command` holds the flags.
    ///
    /// # Errors
    /// `path:line: ` and the problem there.
    pub fn parse(path: &str, text: &str, command: &Command) -> Result<Self, String> {
        let at = |start: usize, problem: String| {
            let line = line(text, start);
            format!("{path}:{line}: {problem}")
        };
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(text.len(), |span| span.start);
            at(start, format!("{}{}", error.message(), unquoted(text, start)))
        })?;
        let mut settings = Vec::new();
        for (key, value) in table.into_inner() {
            let start = key.span().start;
            let setting = setting(key.get_ref(), value, command);
            let (key, values) = setting.map_err(|problem| at(start, problem))?;
            settings.push(Setting { key, line: line(text, start), values });
        }
        Ok(Self { path: path.to_owned(), settings })
    }

    /// Replaces the defaults of `command` by the file's values.
    pub fn apply(&self, command: Command) -> Command {
        self.settings.iter().fold(command, |command, setting| {
            command.mut_arg(&setting.key, |arg| arg.default_values(setting.values.clone()))
        })
    }

    /// `path:line` of a setting in the file.
    pub fn place(&self, key: &str) -> Option<String> {
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(format!("{}:{}", self.path, setting.line))
    }
}

/// A hint where a value looks like text without quotes.
fn unquoted(text: &str, start: usize) -> &'static str {
    let begin = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    match value.starts_with(['"', '\'', '[', '{']) || value.is_empty() {
        true => "",
        false => "; text needs quotes: name = \"text\"",
    }
}

/// A hint at the known setting that the name is most like.
fn similar(key: &str, command: &Command) -> String {
    let likeness = |arg: &&Arg| strsim::jaro_winkler(key, arg.get_id().as_str());
    let likely = settable(command).map(|arg| (likeness(&arg), arg.get_id().as_str()));
    match likely.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.85) {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

fn line(text: &str, start: usize) -> usize {
    1 + text.get(..start).unwrap_or(text).matches('\n').count()
}

fn setting(
    key: &str,
    value: Spanned<DeValue<'_>>,
    command: &Command,
) -> Result<(String, Vec<String>), String> {
    let Some(arg) = settable(command).find(|arg| arg.get_id() == key) else {
        return Err(format!("`{key}` is not a known setting{}", similar(key, command)));
    };
    let wrong = |kind: &str| Err(format!("`{key}` must be {kind}"));
    let kind = arg.get_value_parser().type_id();
    let values = match value.into_inner() {
        DeValue::Array(items) if arg.get_value_delimiter().is_some() => {
            let texts: Option<Vec<String>> =
                items.into_iter().map(|item| text(item.into_inner())).collect();
            match texts {
                Some(texts) if !texts.iter().any(|text| text.contains(',')) => texts,
                _ => return wrong("an array of strings, each without a comma"),
            }
        }
        _ if arg.get_value_delimiter().is_some() => return wrong("an array of strings"),
        DeValue::Boolean(value) if kind == TypeId::of::<bool>() => vec![value.to_string()],
        _ if kind == TypeId::of::<bool>() => return wrong("true or false"),
        DeValue::Integer(number) if is_number(kind) && number.radix() == 10 => {
            vec![number.as_str().to_owned()]
        }
        _ if is_number(kind) => return wrong("a number"),
        other => match text(other) {
            Some(text) => vec![text],
            None => return wrong("a string"),
        },
    };
    // Validated alone and without the environment, so that an invalid variable is not blamed on the
    // file.
    let alone = Command::new("file").no_binary_name(true).disable_help_flag(true);
    let alone = alone.arg(arg.clone().env(None::<&'static str>));
    let flag = arg.get_long().unwrap_or(key);
    let flags = values.iter().map(|value| format!("--{flag}={value}"));
    match alone.try_get_matches_from(flags) {
        Ok(_) => Ok((key.to_owned(), values)),
        Err(error) => {
            let problem = error.to_string();
            let problem = problem.lines().next().unwrap_or_default();
            Err(problem.trim_start_matches("error: ").to_owned())
        }
    }
}

/// A string without NUL, which no flag value may contain.
fn text(value: DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) if !text.contains('\0') => Some(text.into_owned()),
        _ => None,
    }
}

/// Whether the flag takes a number.
pub fn is_number(kind: impl PartialEq<TypeId>) -> bool {
    kind == TypeId::of::<u32>() || kind == TypeId::of::<u64>()
}
