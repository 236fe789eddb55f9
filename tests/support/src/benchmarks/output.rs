//! Where a benchmark's results go.

use std::fs::write;
use std::io::{self, Write as _, stdout};
use std::path::Path;

use serde_json::Value;

/// Prints a text at once, also into a pipe: a benchmark takes minutes.
///
/// # Errors
/// Those of standard output, such as a closed pipe.
pub fn show(text: &str) -> io::Result<()> {
    let mut stdout = stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Writes the results of `--json` to a file.
///
/// # Errors
/// Those of the file, with its path.
pub fn write_json(path: &Path, results: &Value) -> io::Result<()> {
    let named = |error| io::Error::other(format!("{}: {error}", path.display()));
    write(path, format!("{results:#}\n")).map_err(named)
}
