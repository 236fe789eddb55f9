//! URLs below which an HTTP service has its paths.

use anyhow::{Context as _, Result, ensure};
use url::Url;

/// The checked URL. `setting` names it in errors.
///
/// # Errors
/// Not http or https, or with credentials, a query or a fragment.
pub fn base_url(url: &str, setting: &str) -> Result<Url> {
    let base = Url::parse(url).with_context(|| format!("{setting} is not a URL"))?;
    ensure!(matches!(base.scheme(), "http" | "https"), "{setting} must be http:// or https://");
    ensure!(
        base.username().is_empty() && base.password().is_none(),
        "{setting} must not hold credentials"
    );
    ensure!(
        base.query().is_none() && base.fragment().is_none(),
        "{setting} must not have a query or fragment"
    );
    // The origin becomes part of a Content-Security-Policy, where these separate values.
    let host = base.host_str().unwrap_or_default();
    ensure!(!host.contains([';', ',', '\'']), "{setting} has a host with `;`, `,` or `'`");
    Ok(base)
}

/// [`base_url`] as text without a slash at its end, so that a path can follow.
///
/// # Errors
/// As [`base_url`].
pub fn base_text(url: &str, setting: &str) -> Result<String> {
    Ok(base_url(url, setting)?.as_str().trim_end_matches('/').to_owned())
}
