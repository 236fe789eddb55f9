//! What all checks need: where to ask, and for how long.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Answer, Api, Call, Repeat};
use crate::failure::{Failure, Outcome};
use crate::secrets::Token;
use crate::settings::Settings;

/// One run of the doctor. Every call is made once, and all of them end with `--timeout`.
pub struct Look<'a> {
    settings: &'a Settings,
    /// When everything ends.
    pub deadline: Instant,
}

/// A server of the settings.
#[derive(Clone, Copy)]
pub enum Server {
    Functions,
    Hub,
}

impl<'a> Look<'a> {
    pub fn begin(settings: &'a Settings) -> Self {
        Self { settings, deadline: Instant::now() + settings.timeout }
    }

    pub fn url(&self, server: Server) -> &'a str {
        match server {
            Server::Functions => &self.settings.url,
            Server::Hub => &self.settings.hub_url,
        }
    }

    /// The whole time.
    pub fn limit(&self) -> Duration {
        self.settings.timeout
    }

    /// Time for what answers at once if it works, so that some is left for what comes after it.
    pub fn short_limit(&self) -> Duration {
        self.settings.timeout / 2
    }

    /// A client for the checks of a server that is there.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn api(&self, server: Server, token: Option<Token>) -> Outcome<Api> {
        let api = Api::new(self.url(server), token, self.settings.timeout)?;
        Ok(api.until(self.deadline))
    }

    /// A client for the question whether a server is there.
    ///
    /// # Errors
    /// As [`Look::api`].
    pub fn short_api(&self, server: Server) -> Outcome<Api> {
        Api::new(self.url(server), None, self.short_limit())
    }

    /// An answer of `/healthz` or `/readyz` that Bellwire gave: any web server may answer them.
    ///
    /// # Errors
    /// It is not `{"status":"ok"}`.
    pub fn expect_ok(&self, server: Server, answer: Answer) -> Outcome<Answer> {
        match answer.json::<Value>() {
            Ok(body) if body["status"] == "ok" => Ok(answer),
            _ => Err(self.another_server(server)),
        }
    }

    /// The failure of a server that is not Bellwire's.
    pub fn another_server(&self, server: Server) -> Failure {
        let wanted = match server {
            Server::Functions => "the address of Bellwire's functions",
            Server::Hub => "Bellwire's hub",
        };
        Failure::failed(format!("{} is not {wanted}", self.url(server)))
    }
}

/// A read that is not repeated: its failure is what the doctor looks for.
pub fn get(path: impl Into<String>) -> Call {
    Call::get(path).repeat(Repeat::Never)
}
