//! `bellwire-manifest FILE ROOT`: prints the manifest in the directory ROOT, a checkout, for the
//! resources in FILE. For `scripts/manifest`, which explains it.

#![cfg_attr(test, allow(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

mod manifest;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use resources::Resources;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [file, root] => of(file, root).and_then(|text| {
            io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
        }),
        _ => Err("usage: bellwire-manifest FILE ROOT".to_owned()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn of(file: &str, root: &str) -> Result<String, String> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let resources = Resources::parse(&read(Path::new(file))?);
    let resources = resources.map_err(|mistake| format!("{file}: {mistake}"))?;
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("{file} is not the name of a file"))?;
    let base = read(&Path::new(root).join("spin.toml"))?;
    manifest::for_resources(&base, &resources, name, root)
}
