//! A bearer token in a file, which is read before every use, so that it can be replaced any time.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use http::HeaderValue;
use tokio::io::AsyncReadExt as _;

use crate::limits::TOKEN_FILE_BYTES_MAX;

/// Checks at the start what every use will read: a file that is wrong from the start would only
/// show in the log, while nothing is called. `setting` names it in errors.
///
/// # Errors
/// The file cannot be read, or holds no token.
pub fn check(path: &Path, setting: &str) -> Result<()> {
    let shown = path.display();
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        // Opening a pipe would wait for its writer.
        if !path.metadata()?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        File::open(path)?.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().with_context(|| format!("{setting}: cannot read {shown}"))?;
    ensure!(authorization(&text).is_some(), "{setting}: {shown} is empty or not a token");
    Ok(())
}

/// The `Authorization` header with the file's token; `None` if it holds none.
///
/// # Errors
/// The file cannot be read.
pub(crate) async fn read(path: &Path) -> std::io::Result<Option<HeaderValue>> {
    let file = tokio::fs::File::open(path).await?;
    let mut text = String::new();
    file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(authorization(&text))
}

/// The `Authorization` header with the text of a token file; `None` if that is not a token.
fn authorization(text: &str) -> Option<HeaderValue> {
    let token = text.trim();
    let header = HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let mut header = header.filter(|_| !token.is_empty())?;
    header.set_sensitive(true);
    Some(header)
}
