//! `bellwire-manifest FILE ROOT [NAME]`: prints the manifest in the directory ROOT, a checkout, for
//! the resources in FILE. The output belongs into the folder of FILE, or beside a copy of FILE that
//! is called NAME. For `scripts/manifest`, which explains it, and `scripts/up`.

#![cfg_attr(test, allow(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

mod manifest;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use resources::Resources;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [file, root] => write_out(of(file, root, None)),
        [file, root, name] => write_out(of(file, root, Some(name))),
        _ => Err("usage: bellwire-manifest FILE ROOT [NAME]".to_owned()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn write_out(manifest: Result<String, String>) -> Result<(), String> {
    io::stdout().write_all(manifest?.as_bytes()).map_err(|error| error.to_string())
}

/// The manifest for the resources in `file`. The manifest refers to the file as `name`, or else by
/// its own name.
///
/// # Errors
/// A mistake in `file`, with its path and line, or why a file cannot be read.
fn of(file: &str, root: &str, name: Option<&str>) -> Result<String, String> {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| format!("{}: {}", path.display(), problem_of(&error)))
    };
    let resources = Resources::parse(&read(Path::new(file))?);
    let resources = resources.map_err(|mistake| format!("{file}: {mistake}"))?;
    let name = name.or_else(|| Path::new(file).file_name()?.to_str());
    let name = name.ok_or_else(|| format!("{file} is not the name of a file"))?;
    let base = read(&Path::new(root).join("spin.toml"))?;
    manifest::for_resources(&base, &resources, name, root)
}

/// Why a file cannot be read, in words for its user.
fn problem_of(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "there is no such file",
        io::ErrorKind::IsADirectory => "it is a directory",
        io::ErrorKind::PermissionDenied => "this user may not read it",
        io::ErrorKind::InvalidData => "it is not UTF-8",
        _ => return error.to_string(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    /// The manifest, or the problem, for a file of this text and name; and the file's path.
    fn manifest_of(
        file: &str,
        text: impl AsRef<[u8]>,
        name: Option<&str>,
    ) -> (Result<String, String>, String) {
        let path = std::env::temp_dir().join(format!("{}-{file}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let path_text = path.to_str().unwrap().to_owned();
        let manifest = of(&path_text, ROOT, name);
        std::fs::remove_file(&path).unwrap();
        (manifest, path_text)
    }

    #[test]
    fn a_mistake_is_named_with_the_path_that_the_user_gave() {
        let text = "[[resource]]\npath = \"a\"\nfrsh = \"60s\"\n";
        let (problem, path) = manifest_of("typo.toml", text, Some("resources.toml"));
        let expected = "line 3: unknown field \"frsh\": did you mean \"fresh\"? (resource \"a\")";
        assert_eq!(problem.unwrap_err(), format!("{path}: {expected}"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_in_plain_words() {
        let (problem, path) = manifest_of("latin1.toml", b"# \xe9\n", None);
        assert_eq!(problem.unwrap_err(), format!("{path}: it is not UTF-8"));
        assert_eq!(of(&path, ROOT, None).unwrap_err(), format!("{path}: there is no such file"));
        assert_eq!(of(ROOT, ROOT, None).unwrap_err(), format!("{ROOT}: it is a directory"));
        let forbidden = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(problem_of(&forbidden), "this user may not read it");
    }

    #[test]
    fn the_manifest_finds_the_file_or_its_copy() {
        let source = |name: &str| format!("source = \"{name}\"");
        let (manifest, path) = manifest_of("own.toml", "", None);
        let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
        assert!(manifest.unwrap().contains(&source(name)));
        let (manifest, _) = manifest_of("copied.toml", "", Some("resources.toml"));
        assert!(manifest.unwrap().contains(&source("resources.toml")));
    }
}
