//! The setting `--demo`. It gives tokens to anyone who asks, so it is refused wherever others than the
//! machine's own users could.

use anyhow::{Result, bail, ensure};
use native::secret::secret;

use crate::config::dev_token::Signer;
use crate::config::flags::ServeArgs;
use crate::config::{Config, functions_base};

/// The names under which a browser on this machine reaches a loopback address.
pub(crate) const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

const SETTING: &str = "--demo (BELLWIRE_HUB_DEMO)";

/// What the demo page needs.
#[derive(Clone)]
pub struct Demo {
    pub(crate) signer: Signer,
    /// The functions' URL without a slash at its end.
    pub(crate) functions: String,
}

impl Demo {
    /// `None` unless the demo is asked for.
    ///
    /// # Errors
    /// The hub listens for other machines, has no HS256 key, or does not know the functions.
    pub(super) fn new(
        args: &ServeArgs,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        if !args.demo {
            return Ok(None);
        }
        ensure!(
            args.listen.ip().is_loopback(),
            "{SETTING} gives tokens to everyone who reaches the hub, so it needs a loopback address: \
             --listen (BELLWIRE_HUB_LISTEN) is {}",
            args.listen
        );
        let keys = &args.keys;
        let key = secret("AUTH_HS256_KEY", keys.auth_hs256_key_file.as_deref(), env)?;
        ensure!(
            !key.is_empty(),
            "{SETTING} signs tokens, so it needs an HS256 key: AUTH_HS256_KEY, or \
             --auth-hs256-key-file (AUTH_HS256_KEY_FILE)"
        );
        let Some(functions) = args.functions_url.as_deref().filter(|url| !url.is_empty()) else {
            bail!("{SETTING} needs --functions-url (BELLWIRE_FUNCTIONS_URL): its page calls them");
        };
        let signer = Signer::new(&key, keys.auth_issuer.as_deref(), keys.auth_audience.as_deref());
        Ok(Some(Self { signer, functions: functions_base(functions)? }))
    }
}

impl Config {
    /// Allows the origins of the demo page, if it is served, now that the port is known.
    pub fn listens_on(&mut self, port: u16) {
        if self.demo.is_some() {
            let own = LOOPBACK_NAMES.map(|name| format!("http://{name}:{port}"));
            self.allowed_origins.extend(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::flags::Cli;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const COMPLETE: [&str; 3] =
        ["bellwire-hub", "--demo", "--functions-url=http://127.0.0.1:3000/"];

    fn demo(arguments: &[&str], key: &str) -> Result<Option<Demo>> {
        let args = Cli::try_parse_from(arguments)?.serve;
        Demo::new(&args, &|name| (name == "AUTH_HS256_KEY").then(|| key.to_owned()))
    }

    #[test]
    fn is_off_unless_asked_for() {
        assert!(demo(&["bellwire-hub"], KEY).unwrap().is_none());
        assert!(demo(&["bellwire-hub", "--demo=false"], KEY).unwrap().is_none());
        let on = demo(&COMPLETE, KEY).unwrap().unwrap();
        assert_eq!(on.functions, "http://127.0.0.1:3000");
    }

    #[test]
    fn is_refused_where_others_could_ask() {
        let problem = |arguments: &[&str], key: &str| {
            format!("{:#}", demo(arguments, key).err().expect("a refused configuration"))
        };
        for address in ["0.0.0.0:3001", "192.0.2.1:3001", "[::]:3001"] {
            let listen = format!("--listen={address}");
            let problem = problem(&[&COMPLETE[..], &[&listen]].concat(), KEY);
            assert!(problem.contains("loopback") && problem.contains(address), "{problem}");
        }
        assert!(problem(&COMPLETE, "").contains("needs an HS256 key"));
        assert!(problem(&COMPLETE[..2], KEY).contains("--functions-url"));
    }
}
