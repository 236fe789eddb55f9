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
    let named = format!("{what} {}", path.display());
    let file = open(path, &named)?;
    bounded(file, bytes_max).map_err(|error| unreadable(&named, &error))
}

/// A file that is there, and is no directory; `named` names it in errors.
///
/// # Errors
/// It cannot be opened.
pub fn open(path: &Path, named: &str) -> Outcome<File> {
    let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    });
    opened.map_err(|error| unreadable(named, &error))
}

fn unreadable(named: &str, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => error.to_string(),
    };
    Failure::usage(format!("cannot read {named}: {reason}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let detail = |path: &Path| text(path, 10, "the template").unwrap_err().detail;
        let expected =
            format!("cannot read the template {}: there is no such file", missing.display());
        assert_eq!(detail(&missing), expected);
        assert!(detail(dir.path()).ends_with(": it is a directory"), "{}", detail(dir.path()));
    }
}
