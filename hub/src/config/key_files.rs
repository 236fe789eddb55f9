//! The files of the keys that verify tokens, read again while the hub runs: a key is rotated without
//! a restart, and so without closing a socket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use native::identity::Keys;
use native::secret::secret;
use shared::auth::KeyConfig;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::config::flags::KeyArgs;

/// Where the keys are, and what was read there last.
#[derive(Debug, Default)]
pub struct KeyFiles {
    hs256_key: Option<String>,
    jwks: Option<String>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    config: KeyConfig,
    /// Why the files cannot be used; empty if they can.
    problem: String,
}

/// Omits the keys.
impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Last")
    }
}

impl KeyFiles {
    /// The files of `args`, from which `config` was read.
    pub(crate) fn new(args: &KeyArgs, config: KeyConfig) -> Self {
        let file = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        Self {
            hs256_key: file(&args.auth_hs256_key_file),
            jwks: file(&args.auth_jwks_file),
            last: Mutex::new(Last { config, problem: String::new() }),
        }
    }

    /// Reads the files every `interval`, and gives `keys` what is new. Files that cannot be used
    /// leave the last keys in force, and are logged once. Ends only by being dropped.
    pub(crate) async fn watch(&self, keys: &Keys, interval: Duration) {
        if self.hs256_key.is_none() && self.jwks.is_none() {
            return std::future::pending().await;
        }
        loop {
            sleep(interval).await;
            let files = [("AUTH_HS256_KEY", &self.hs256_key), ("AUTH_JWKS", &self.jwks)]
                .map(|(name, file)| (name, file.clone()));
            // A file system may hang.
            let texts = spawn_blocking(move || files.map(|(name, file)| text(name, file))).await;
            let Ok([hs256_key, jwks]) = texts else { continue };
            self.take(keys, hs256_key, jwks);
        }
    }

    fn take(&self, keys: &Keys, hs256_key: Option<Result<String>>, jwks: Option<Result<String>>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = last.config.clone();
        let mut problem = String::new();
        for (place, read) in [(&mut config.hs256_key, hs256_key), (&mut config.jwks, jwks)] {
            match read {
                Some(Ok(text)) => *place = text,
                Some(Err(error)) => problem = format!("{error:#}"),
                None => {}
            }
        }
        let is_new = config.hs256_key != last.config.hs256_key || config.jwks != last.config.jwks;
        // Only both together: half of a change may lack the keys that are in use.
        if problem.is_empty() && is_new {
            match keys.replace_keys(&config) {
                Ok(()) => {
                    tracing::info!("the keys for tokens were replaced");
                    last.config = config;
                }
                Err(error) => problem = error.to_string(),
            }
        }
        if !problem.is_empty() && problem != last.problem {
            tracing::error!(error = problem, "cannot use the keys' files: the last keys stay");
        }
        last.problem = problem;
    }
}

fn text(name: &str, file: Option<String>) -> Option<Result<String>> {
    file.map(|file| secret(name, Some(&file), &|_| None))
}

#[cfg(test)]
mod tests {
    use shared::auth::KeySet;

    use super::*;

    const OLD: &str = "an old key, which has thirty-two bytes";
    const NEW: &str = "a new key, which has thirty-two bytes!";

    fn files() -> (KeyFiles, Keys) {
        let config = KeyConfig { hs256_key: OLD.to_owned(), ..KeyConfig::default() };
        let keys = Keys::new(KeySet::new(&config).unwrap(), "test").unwrap();
        let last = Mutex::new(Last { config, problem: String::new() });
        (KeyFiles { last, ..KeyFiles::default() }, keys)
    }

    fn problem(files: &KeyFiles) -> String {
        files.last.lock().unwrap().problem.clone()
    }

    #[test]
    fn a_wrong_file_leaves_the_last_keys_and_never_shows_one() {
        let (files, keys) = files();
        for wrong in [Ok("short secret".to_owned()), Err(anyhow::anyhow!("cannot read key"))] {
            files.take(&keys, Some(wrong), None);
            assert!(!problem(&files).is_empty() && !problem(&files).contains("short secret"));
            assert_eq!(files.last.lock().unwrap().config.hs256_key, OLD);
        }
        files.take(&keys, Some(Ok(NEW.to_owned())), None);
        assert_eq!(problem(&files), "");
        assert_eq!(files.last.lock().unwrap().config.hs256_key, NEW);
        assert!(!format!("{files:?}").contains("key, which"), "{files:?}");
    }

    #[test]
    fn one_unreadable_file_of_two_changes_nothing() {
        let (files, keys) = files();
        let unreadable = Some(Err(anyhow::anyhow!("gone")));
        files.take(&keys, Some(Ok(NEW.to_owned())), unreadable);
        assert_eq!(files.last.lock().unwrap().config.hs256_key, OLD);
    }
}
