//! Where the console is served, and where its page finds the functions.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Error, Result, ensure};
use native::base_url::base_url;
use native::settings::listen as listen_on;
use url::Url;

use crate::config::limit_flags::ConsoleArgs;

/// The console's address; off by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleAccess {
    pub listen: Option<SocketAddr>,
    /// Base URL of the functions as browsers reach them, without a slash at its end.
    pub functions: Option<String>,
    /// The documents, as static pages.
    pub site: Option<PathBuf>,
}

impl ConsoleAccess {
    /// `functions_url` is where the hub itself reaches the functions.
    ///
    /// # Errors
    /// An invalid address or URL; a directory of the site without its first page.
    pub(crate) fn new(args: &ConsoleArgs, functions_url: Option<&str>) -> Result<Self> {
        let listen = args.console_listen.as_deref().filter(|text| !text.is_empty());
        let listen = listen.map(|text| listen_on(text).map_err(Error::msg)).transpose();
        let listen = listen.context("--console-listen (BELLWIRE_HUB_CONSOLE_LISTEN)")?;
        let own = args.console_functions_url.as_deref().filter(|url| !url.is_empty());
        let functions = match (own, functions_url.filter(|url| !url.is_empty())) {
            (Some(url), _) => {
                Some(base_url(url, "--console-functions-url (BELLWIRE_HUB_CONSOLE_FUNCTIONS_URL)")?)
            }
            (None, Some(url)) => Some(base_url(url, "--functions-url (BELLWIRE_FUNCTIONS_URL)")?),
            (None, None) => None,
        };
        let functions = functions.map(|url| url.as_str().trim_end_matches('/').to_owned());
        let site = args.console_site_dir.clone();
        if let Some(dir) = &site {
            ensure!(
                dir.join("index.html").is_file(),
                "--console-site-dir (BELLWIRE_HUB_CONSOLE_SITE_DIR): {} has no index.html: run `make site`",
                dir.display()
            );
        }
        Ok(Self { listen, functions, site })
    }

    /// The origin of the functions, as a browser writes it.
    pub(crate) fn functions_origin(&self) -> Option<String> {
        let url = Url::parse(self.functions.as_deref()?).ok()?;
        Some(url.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(listen: &str, own: &str, functions: Option<&str>) -> Result<ConsoleAccess> {
        access_with(None, listen, own, functions)
    }

    fn access_with(
        site: Option<&str>,
        listen: &str,
        own: &str,
        functions: Option<&str>,
    ) -> Result<ConsoleAccess> {
        let args = ConsoleArgs {
            console_listen: Some(listen.to_owned()),
            console_functions_url: Some(own.to_owned()),
            console_site_dir: site.map(PathBuf::from),
        };
        ConsoleAccess::new(&args, functions)
    }

    #[test]
    fn the_page_uses_the_hubs_functions_unless_told_otherwise() {
        assert_eq!(access("", "", None).unwrap(), ConsoleAccess::default());
        let same = access("127.0.0.1:9465", "", Some("http://f.internal:3000/")).unwrap();
        assert_eq!(same.listen, Some(([127, 0, 0, 1], 9465).into()));
        assert_eq!(same.functions.as_deref(), Some("http://f.internal:3000"));
        let own = access("", "https://api.example/bellwire/", Some("http://f.internal")).unwrap();
        assert_eq!(own.functions.as_deref(), Some("https://api.example/bellwire"));
        assert_eq!(own.functions_origin().as_deref(), Some("https://api.example"));
    }

    #[test]
    fn errors_name_the_setting() {
        let problem = |listen, own| format!("{:#}", access(listen, own, None).unwrap_err());
        assert!(problem("here", "").contains("CONSOLE_LISTEN"));
        for wrong in ["ftp://f", "api.example", "https://u:p@f", "https://f/?a"] {
            assert!(problem("", wrong).contains("CONSOLE_FUNCTIONS_URL"), "{wrong}");
        }
        let problem = access_with(Some("/no/site"), "", "", None).unwrap_err().to_string();
        assert!(problem.contains("CONSOLE_SITE_DIR") && problem.contains("/no/site"), "{problem}");
    }
}
