//! A credential in a file, read again when it changes. A file that became unreadable or invalid leaves
//! the last good credential in force.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ring::digest::{SHA256, digest};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

use crate::limits::{CREDENTIAL_BYTES_MAX, CREDENTIAL_POLL};

/// Why a credential cannot be used. The text does not contain it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{}: cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{}: longer than {CREDENTIAL_BYTES_MAX} bytes, or not UTF-8", path.display())]
    Text { path: PathBuf },
    #[error("{}: {problem}", path.display())]
    Invalid { path: PathBuf, problem: String },
}

/// A parsed credential.
pub(crate) struct Current<T> {
    pub(crate) value: T,
    /// Differs after each change.
    pub(crate) generation: u64,
}

struct State<T> {
    current: Arc<Current<T>>,
    hash: Vec<u8>,
    read: Instant,
    is_failing: bool,
}

pub(crate) struct CredentialFile<T> {
    path: PathBuf,
    parse: fn(&str) -> Result<T, String>,
    state: Mutex<State<T>>,
}

impl<T> CredentialFile<T> {
    /// # Errors
    /// The file cannot be read, or holds no valid credential.
    pub(crate) async fn open(
        path: PathBuf,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Self, FileError> {
        let text = read(&path).await?;
        let value =
            parse(&text).map_err(|problem| FileError::Invalid { path: path.clone(), problem })?;
        let state = Mutex::new(State {
            current: Arc::new(Current { value, generation: 1 }),
            hash: digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
            read: Instant::now(),
            is_failing: false,
        });
        Ok(Self { path, parse, state })
    }

    /// The credential, at most ten seconds old.
    pub(crate) async fn current(&self) -> Arc<Current<T>> {
        let mut state = self.state.lock().await;
        if state.read.elapsed() >= CREDENTIAL_POLL {
            state.read = Instant::now();
            // In a box: rare, and its space would be part of every push in flight.
            Box::pin(self.reread(&mut state)).await;
        }
        state.current.clone()
    }

    /// Reads the file now, as after the interval.
    #[cfg(test)]
    pub(crate) async fn expire(&self) {
        let mut state = self.state.lock().await;
        self.reread(&mut state).await;
    }

    async fn reread(&self, state: &mut State<T>) {
        let changed = match read(&self.path).await {
            Ok(text) => {
                let hash = digest(&SHA256, text.as_bytes());
                if hash.as_ref() == state.hash && !state.is_failing {
                    return;
                }
                let path = self.path.clone();
                (self.parse)(&text)
                    .map(|value| (value, hash.as_ref().to_vec()))
                    .map_err(|problem| FileError::Invalid { path, problem })
            }
            Err(error) => Err(error),
        };
        match changed {
            Ok((value, hash)) => {
                state.is_failing = false;
                if hash != state.hash {
                    let generation = state.current.generation + 1;
                    state.current = Arc::new(Current { value, generation });
                    state.hash = hash;
                    tracing::info!(file = %self.path.display(), "credential read again");
                }
            }
            Err(error) => {
                // Once per failure, not every ten seconds.
                if !state.is_failing {
                    tracing::warn!(%error, "the last valid credential stays in force");
                }
                state.is_failing = true;
            }
        }
    }
}

async fn read(path: &Path) -> Result<String, FileError> {
    let failed = |error| FileError::Read { path: path.to_owned(), error };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(CREDENTIAL_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= CREDENTIAL_BYTES_MAX);
    text.ok_or_else(|| FileError::Text { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        match text {
            "" => Err("empty".into()),
            text => Ok(text.into()),
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_read_and_a_broken_one_leaves_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "one").unwrap();
        let file = CredentialFile::open(path.clone(), parse).await.unwrap();
        let is = async |value: &str, generation| {
            let current = file.current().await;
            assert_eq!((current.value.as_str(), current.generation), (value, generation));
        };
        std::fs::write(&path, "two").unwrap();
        is("one", 1).await;
        for (text, value, generation) in
            [("two", "two", 2), ("two", "two", 2), ("", "two", 2), ("two", "two", 2), ("3", "3", 3)]
        {
            std::fs::write(&path, text).unwrap();
            file.expire().await;
            is(value, generation).await;
        }
        std::fs::remove_file(&path).unwrap();
        file.expire().await;
        is("3", 3).await;
        std::fs::write(&path, vec![b'x'; CREDENTIAL_BYTES_MAX + 1]).unwrap();
        file.expire().await;
        is("3", 3).await;
    }

    #[tokio::test]
    async fn at_the_start_errors_name_the_file_and_not_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let error = async || {
            CredentialFile::open(path.clone(), |_| Err::<(), _>("no key".into()))
                .await
                .err()
                .unwrap()
                .to_string()
        };
        assert!(error().await.contains("cannot be read"));
        std::fs::write(&path, "s3cret").unwrap();
        let text = error().await;
        assert!(text.ends_with("key: no key") && !text.contains("s3cret"), "{text}");
    }
}
