//! Files and standard input, read as a whole and bounded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// The text of a file; `what` names it in errors.
///
/// # Errors
/// It cannot be read, is not text, or is larger than `bytes_max`.
pub fn text(path: &Path, bytes_max: u64, what: &str) -> Outcome<String> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read {what} {}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| wrong(&error))?;
    bounded(file, bytes_max).map_err(|error| wrong(&error))
}

/// The text of standard input; `what` names it in errors.
///
/// # Errors
/// As [`text`].
pub fn stdin(bytes_max: u64, what: &str) -> Outcome<String> {
    bounded(io::stdin().lock(), bytes_max)
        .map_err(|error| Failure::usage(format!("cannot read {what} from standard input: {error}")))
}

/// The text itself, that of the file after an `@`, or that of standard input for `-`.
///
/// # Errors
/// As [`text`].
pub fn argument(argument: &str, bytes_max: u64, what: &str) -> Outcome<String> {
    match (argument, argument.strip_prefix('@')) {
        ("-", _) => stdin(bytes_max, what),
        (_, Some(path)) => text(Path::new(path), bytes_max, what),
        (argument, None) => Ok(argument.to_owned()),
    }
}

fn bounded(from: impl Read, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    from.take(bytes_max + 1).read_to_string(&mut text)?;
    match text.len() as u64 > bytes_max {
        true => Err(io::Error::other(format!("more than {bytes_max} bytes"))),
        false => Ok(text),
    }
}
