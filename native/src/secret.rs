//! Secrets: from a file, or from the environment.

use anyhow::{Context as _, Result, ensure};

/// A secret from its file, else from the environment, else empty. An empty file name counts as
/// unset, because compose files write one for an omitted variable.
///
/// # Errors
/// The file cannot be read, or is empty; the text names `{name}_FILE`.
pub fn secret(
    name: &str,
    file: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String> {
    let Some(file) = file.filter(|file| !file.is_empty()) else {
        return Ok(env(name).unwrap_or_default());
    };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{name}_FILE: cannot read {file}"))?;
    // Editors end a file with a newline; it is not part of the secret.
    let text = text.trim_end_matches(['\r', '\n']);
    ensure!(!text.is_empty(), "{name}_FILE: {file} is empty");
    Ok(text.to_owned())
}
