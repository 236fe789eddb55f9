//! `bellwire-push vapid-key FILE`: a new key for Web Push.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use push::Es256;

/// Writes a new key to `file`, readable by its owner only; returns the public key. A file that
/// exists is left alone: browsers that subscribed with its key would get nothing any more.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn make(file: &Path) -> Result<String> {
    let pem = Es256::generate().context("cannot make a key")?;
    let key = Es256::parse(pem.expose()).context("cannot read the new key")?;
    let mut options = OpenOptions::new();
    let mut created = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot create {}", file.display()))?;
    created
        .write_all(pem.expose().as_bytes())
        .and_then(|()| created.sync_all())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(key.public())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_key_is_the_owner_s_and_never_replaces_another() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vapid.pem");
        let public = make(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(Es256::parse(&text).unwrap().public(), public);
        assert_eq!(public.len(), 87, "65 bytes in base64url");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(format!("{:#}", make(&file).unwrap_err()).contains("cannot create"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
