//! The watched user's own token: the given one, or one made with the key.

use crate::api::{Api, Call};
use crate::failure::{Failure, Kind, Outcome};
use crate::limits::OWN_TOKEN_TTL;
use crate::output::clean;
use crate::secrets::{NOT_A_JWT, NewToken, Token, TokenSource};
use crate::settings::Settings;

/// Where the tokens of one watch are from.
pub struct Tokens<'a> {
    pub settings: &'a Settings,
    pub user: &'a str,
}

impl Tokens<'_> {
    /// The token of the first socket. A given one that is not the user's, such as a service's, has to be
    /// valid: otherwise a wrong one would be replaced unseen.
    pub async fn first(&self) -> Outcome<Token> {
        let given = self.given()?;
        if let Some(token) = &given
            && !self.is_own(token)
            && self.settings.key.is_there()
        {
            self.check_accepted(token).await?;
        }
        self.own(given)
    }

    /// The token of the settings; `None` without one.
    fn given(&self) -> Outcome<Option<Token>> {
        match &self.settings.token {
            TokenSource::None => Ok(None),
            source => source.read().map(Some),
        }
    }

    fn is_own(&self, token: &Token) -> bool {
        token.sub().as_deref() == Some(self.user)
    }

    /// Asks the hub for a ticket, which needs nothing but a valid token, and is not used.
    async fn check_accepted(&self, token: &Token) -> Outcome {
        let settings = self.settings;
        let api = Api::new(&settings.hub_url, Some(token.clone()), settings.timeout)?;
        let Err(failure) = api.send(Call::post("/ws/ticket")).await else { return Ok(()) };
        match failure.code.as_deref() {
            Some("unauthorized" | "token_expired") => Err(self.refused(token, failure)),
            // The hub is not there.
            None if failure.kind == Kind::Unreachable => Err(failure),
            // The token is valid; the socket shows what else is wrong.
            _ => Ok(()),
        }
    }

    fn refused(&self, token: &Token, failure: Failure) -> Failure {
        let (source, user) = (&token.source, self.user);
        let detail = format!("the hub refuses the token from {source}: {failure}");
        let without = format!("without a token, watch makes one of {user} with the key");
        let correct = format!("correct it, or remove it: {without}");
        let hint = match token.is_jwt() {
            true => correct,
            false => format!("{NOT_A_JWT}; {correct}"),
        };
        Failure { detail, hint: Some(hint), ..failure }
    }

    /// The user's own token: the given one, or one made with the key.
    fn own(&self, given: Option<Token>) -> Outcome<Token> {
        let settings = self.settings;
        match given {
            Some(token) if self.is_own(&token) => Ok(token),
            _ if settings.key.is_there() => {
                let ttl = OWN_TOKEN_TTL;
                settings.key.mint(&NewToken { sub: self.user, ttl, ..NewToken::default() })
            }
            Some(token) => self.not_theirs(&token),
            None => settings.token.read(),
        }
    }

    fn not_theirs(&self, token: &Token) -> Outcome<Token> {
        let whose = match token.sub() {
            Some(sub) => format!("the token is {}'s", clean(&sub)),
            None if token.is_jwt() => "the token does not say whose it is".to_owned(),
            None => format!("the token from {} is unusable: {NOT_A_JWT}", token.source),
        };
        let user = self.user;
        let text = format!("{whose}; the hub shows {user}'s notifications to {user} alone");
        Err(Failure::new(Kind::Unauthorized, text).hint(format!(
            "give {user}'s token (BELLWIRE_TOKEN_FILE), or in development the key to make one \
             (BELLWIRE_KEY_FILE)"
        )))
    }

    /// Another token than the expired one.
    pub fn renewed(&self, expired: &Token) -> Outcome<Token> {
        let token = self.own(self.given()?)?;
        if token.expose() != expired.expose() {
            return Ok(token);
        }
        let text = format!("the token has expired ({})", token.source);
        let hint = match self.settings.token.is_file() {
            true => "write a new one into the file before it expires: it is read again then",
            false => "give a new one; a token in a file (BELLWIRE_TOKEN_FILE) is read again",
        };
        Err(Failure::new(Kind::Unauthorized, text).hint(hint))
    }
}
