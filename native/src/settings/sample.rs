//! Compares a program's sample file with its flags: for the programs' tests.

use clap::{Arg, Command};

use super::file::{ConfigFile, settable};

/// Checks that the sample holds every setting: active with its default, or commented out without
/// one, with the variable's name beside it; and that it holds no other.
///
/// # Errors
/// The first difference.
pub fn check(sample: &str, command: &Command) -> Result<(), String> {
    for arg in settable(command) {
        let key = arg.get_id().as_str();
        let (is_active, value) = line(sample, key).ok_or_else(|| format!("{key} is missing"))?;
        let default: Vec<_> =
            arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        let is_right = if arg.get_value_delimiter().is_some() {
            is_active && value == "[]"
        } else if let [default] = default.as_slice() {
            is_active && value.trim_matches('"') == default
        } else {
            !is_active
        };
        if !is_right {
            return Err(format!("the default of {key} is {default:?}"));
        }
        let env = arg.get_env().map(|env| env.to_string_lossy());
        if !env.is_some_and(|env| sample.contains(env.as_ref())) {
            return Err(format!("the variable of {key} is missing"));
        }
        if arg.get_help().is_none() {
            return Err(format!("{key} has no help"));
        }
    }
    // The sample has no other setting; commented ones would be accepted, too.
    ConfigFile::parse("sample", sample, command)?;
    let whole: Vec<&str> = sample.lines().map(uncommented).collect();
    let whole = ConfigFile::parse("sample", &whole.join("\n"), command)?;
    match settable(command).map(Arg::get_id).find(|id| whole.place(id.as_str()).is_none()) {
        None => Ok(()),
        Some(id) => Err(format!("{id} is missing")),
    }
}

/// A setting in the sample: active with its default, or commented out if it has no default.
fn line<'a>(sample: &'a str, key: &str) -> Option<(bool, &'a str)> {
    sample.lines().find_map(|line| {
        let (is_active, text) = match line.strip_prefix('#') {
            Some(text) => (false, text),
            None => (true, line),
        };
        text.strip_prefix(key)?.strip_prefix(" = ").map(|value| (is_active, value))
    })
}

/// Removes the `#` of a `#key = value` line; in a sentence a space follows `#`.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(text) if text.starts_with(|c: char| c.is_ascii_lowercase()) => text,
        _ => line,
    }
}
