//! Where functions and hub are, and which token and key to use.
//!
//! Flags go first, then a profile that `--profile` names, then the environment, then the profile of
//! `BELLWIRE_PROFILE` or the file's `default`, then what `make up` uses. A profile that is named on
//! the command line replaces the environment as a whole: a token of one installation must not go
//! to another one.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use native::base_url::base_text;
use toml::Table;

use crate::args::Global;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::limits::TOML_BYTES_MAX;
use crate::secrets::{KeySource, TokenSource};

/// What `make up` uses.
const FUNCTIONS_URL: &str = "http://127.0.0.1:3000";
const HUB_URL: &str = "http://127.0.0.1:3001";

/// The settings of one command.
pub struct Settings {
    /// Base URL of the functions, without a slash at its end.
    pub url: String,
    /// Base URL of the hub, likewise.
    pub hub_url: String,
    pub token: TokenSource,
    pub key: KeySource,
    /// Time for one answer.
    pub timeout: Duration,
}

/// One profile of the file; each value is where the file says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Profile {
    url: Option<String>,
    hub_url: Option<String>,
    token_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// # Errors
    /// A URL is invalid; the file or the profile is missing or invalid.
    pub fn read(flags: &Global, env: Env<'_>) -> Outcome<Self> {
        let file = File::read(flags, env)?;
        let named = flags.profile.as_deref().map(|name| file.profile(name)).transpose()?;
        let is_named = named.is_some();
        let env = |name: &str| env(name).filter(|text| !text.is_empty() && !is_named);
        let profile = match named {
            Some(profile) => profile,
            None => file.usual(env("BELLWIRE_PROFILE").as_deref())?,
        };
        let url = |flag: &Option<String>, name: &str, of_file: &Option<String>, usual: &str| {
            let (setting, url) = match (flag, env(name), of_file) {
                (Some(flag), ..) => (flag_of(name), flag.clone()),
                (None, Some(text), _) => (name.to_owned(), text),
                (None, None, Some(text)) => (file.shown(), text.clone()),
                (None, None, None) => (String::new(), usual.to_owned()),
            };
            base_text(&url, &setting).map_err(|error| wrong_url(&url, &error))
        };
        Ok(Self {
            url: url(&flags.url, "BELLWIRE_URL", &profile.url, FUNCTIONS_URL)?,
            hub_url: url(&flags.hub_url, "BELLWIRE_HUB_URL", &profile.hub_url, HUB_URL)?,
            token: token_source(flags, &env, profile.token_file),
            key: key_source(flags, &env, profile.key_file),
            timeout: Duration::from_secs(flags.timeout),
        })
    }
}

/// The failure of an invalid URL, which mostly lacks its scheme. `problem` does not repeat the URL: it may
/// hold a password.
pub fn wrong_url(url: &str, problem: &dyn Display) -> Failure {
    let failure = Failure::usage(problem.to_string());
    match url.contains("://") {
        true => failure,
        false => failure.hint("add http:// or https:// in front of it"),
    }
}

fn flag_of(variable: &str) -> String {
    if variable == "BELLWIRE_URL" { "--url".to_owned() } else { "--hub-url".to_owned() }
}

fn token_source(flags: &Global, env: Env<'_>, of_file: Option<PathBuf>) -> TokenSource {
    if let Some(path) = &flags.token_file {
        return match path.as_os_str() == "-" {
            true => TokenSource::Stdin,
            false => TokenSource::File(path.clone(), "--token-file".to_owned()),
        };
    }
    let variable = "BELLWIRE_TOKEN_FILE";
    match (env("BELLWIRE_TOKEN"), env(variable), of_file) {
        (Some(text), ..) => TokenSource::Variable(text, "BELLWIRE_TOKEN".to_owned()),
        (None, Some(path), _) => TokenSource::File(path.into(), variable.to_owned()),
        (None, None, Some(path)) => TokenSource::File(path, "token_file".to_owned()),
        (None, None, None) => TokenSource::None,
    }
}

fn key_source(flags: &Global, env: Env<'_>, of_file: Option<PathBuf>) -> KeySource {
    if let Some(path) = &flags.key_file {
        return KeySource::File(path.clone(), "--key-file".to_owned());
    }
    for variable in ["BELLWIRE_KEY_FILE", "AUTH_HS256_KEY_FILE"] {
        if let Some(path) = env(variable) {
            return KeySource::File(path.into(), variable.to_owned());
        }
    }
    match (env("AUTH_HS256_KEY"), of_file) {
        (Some(text), _) => KeySource::Variable(text),
        (None, Some(path)) => KeySource::File(path, "key_file".to_owned()),
        (None, None) => KeySource::None,
    }
}

/// The configuration file; empty if there is none.
#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    table: Table,
}

impl File {
    fn read(flags: &Global, env: Env<'_>) -> Outcome<Self> {
        let named = flags.config.clone().or_else(|| env("BELLWIRE_CONFIG").map(PathBuf::from));
        let Some(path) = named.clone().or_else(|| usual_path(env)) else {
            return Ok(Self::default());
        };
        if named.is_none() && !path.exists() {
            return Ok(Self { path, table: Table::new() });
        }
        let text = files::text(&path, TOML_BYTES_MAX, "the configuration file")?;
        let table = text.parse::<Table>().map_err(|error| {
            Failure::usage(format!("{}: {}", path.display(), error.to_string().trim_end()))
        })?;
        let file = Self { path, table };
        for name in file.table.keys() {
            if !["default", "profiles"].contains(&name.as_str()) {
                return Err(file.wrong(&format!(
                    "`{name}` is not a setting; there are `default` and \
                     `[profiles.<name>]`"
                )));
            }
        }
        Ok(file)
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn wrong(&self, problem: &str) -> Failure {
        Failure::usage(format!("{}: {problem}", self.path.display()))
    }

    /// The profile that applies if the command line names none.
    fn usual(&self, variable: Option<&str>) -> Outcome<Profile> {
        match (variable, self.table.get("default").map(toml::Value::as_str)) {
            (Some(name), _) | (None, Some(Some(name))) => self.profile(name),
            (None, Some(None)) => Err(self.wrong("`default` must be the name of a profile")),
            (None, None) => Ok(Profile::default()),
        }
    }

    fn profile(&self, name: &str) -> Outcome<Profile> {
        let profiles = self.table.get("profiles").and_then(toml::Value::as_table);
        let Some(table) = profiles.and_then(|all| all.get(name)).and_then(toml::Value::as_table)
        else {
            let known: Vec<&str> =
                profiles.into_iter().flat_map(|all| all.keys().map(String::as_str)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(self.wrong(&format!("there is no profile {name:?} (known: {known})")));
        };
        let mut profile = Profile::default();
        for (key, value) in table {
            let Some(text) = value.as_str() else {
                return Err(self.wrong(&format!("`profiles.{name}.{key}` must be a text")));
            };
            match key.as_str() {
                "url" => profile.url = Some(text.to_owned()),
                "hub_url" => profile.hub_url = Some(text.to_owned()),
                "token_file" => profile.token_file = Some(self.beside(text)),
                "key_file" => profile.key_file = Some(self.beside(text)),
                _ => return Err(self.wrong(&format!(
                    "`profiles.{name}.{key}` is not a setting; there are url, hub_url, token_file, \
                     key_file"
                ))),
            }
        }
        Ok(profile)
    }

    /// Relative paths start where the file is.
    fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn usual_path(env: Env<'_>) -> Option<PathBuf> {
    let config = env("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || env("HOME").filter(|dir| !dir.is_empty());
    let config = config.or_else(|| Some(PathBuf::from(home()?).join(".config")))?;
    Some(config.join("bellwire/config.toml"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FILE: &str = r#"
default = "dev"
[profiles.dev]
url = "http://dev:1/"
token_file = "dev.token"
[profiles.live]
url = "https://live"
hub_url = "https://hub.live"
"#;

    fn read(flags: Global, env: &[(&str, &str)]) -> Outcome<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, FILE).unwrap();
        let env: BTreeMap<&str, &str> = env.iter().copied().collect();
        let flags = Global { config: Some(path), timeout: 10, ..flags };
        Settings::read(&flags, &|name| env.get(name).map(|&text| text.to_owned()))
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_file() {
        let settings = read(Global::default(), &[]).unwrap();
        assert_eq!((&*settings.url, &*settings.hub_url), ("http://dev:1", HUB_URL));
        let is_dev = |token: &TokenSource| matches!(token, TokenSource::File(path, _) if path.ends_with("dev.token"));
        assert!(is_dev(&settings.token));
        let env = [("BELLWIRE_URL", "http://env"), ("BELLWIRE_TOKEN", "t")];
        let settings = read(Global::default(), &env).unwrap();
        assert_eq!(settings.url, "http://env");
        assert!(matches!(&settings.token, TokenSource::Variable(text, _) if text == "t"));
        let flags = Global { url: Some("http://flag".to_owned()), ..Global::default() };
        assert_eq!(read(flags, &env).unwrap().url, "http://flag");
    }

    #[test]
    fn a_named_profile_replaces_the_environment() {
        let flags = Global { profile: Some("live".to_owned()), ..Global::default() };
        let env = [("BELLWIRE_URL", "http://env"), ("BELLWIRE_TOKEN", "t")];
        let settings = read(flags, &env).unwrap();
        assert_eq!((&*settings.url, &*settings.hub_url), ("https://live", "https://hub.live"));
        assert!(matches!(settings.token, TokenSource::None));
        let settings = read(Global::default(), &[("BELLWIRE_PROFILE", "live")]).unwrap();
        assert_eq!(settings.url, "https://live");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |profile: &str| {
            let flags = Global { profile: Some(profile.to_owned()), ..Global::default() };
            read(flags, &[]).err().unwrap().detail
        };
        assert!(of("liv").contains("no profile \"liv\" (known: dev, live)"));
        let flags = Global { url: Some("ftp://x".to_owned()), ..Global::default() };
        assert!(read(flags, &[]).err().unwrap().detail.contains("--url must be http"));
        let error = read(Global::default(), &[("BELLWIRE_HUB_URL", "http://u:p@h")]);
        let detail = error.err().unwrap().detail;
        assert!(detail.contains("BELLWIRE_HUB_URL must not hold credentials"), "{detail}");
    }

    #[test]
    fn a_url_without_its_scheme_says_what_to_add() {
        for url in ["127.0.0.1:3000", "localhost:3000", "api.example.com"] {
            let failure = read(Global::default(), &[("BELLWIRE_URL", url)]).err().unwrap();
            assert!(failure.detail.contains("BELLWIRE_URL"), "{failure}");
            assert_eq!(failure.hint.as_deref(), Some("add http:// or https:// in front of it"));
        }
        let failure = read(Global::default(), &[("BELLWIRE_URL", "ftp://x")]).err().unwrap();
        assert_eq!(failure.hint, None);
    }
}
