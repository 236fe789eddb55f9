//! `bellwire token`: prints a development token, and nothing else. In production tokens come from
//! the login service.

use std::time::Duration;

use serde_json::json;
use shared::auth::Scope;

use super::Context;
use crate::args::TokenArgs;
use crate::failure::{Failure, Outcome};
use crate::secrets::NewToken;

pub fn run(context: &Context, args: &TokenArgs) -> Outcome {
    let scope = scope(&args.scope)?;
    let claims = NewToken {
        sub: &args.sub,
        scope: &scope,
        ttl: Duration::from_secs(args.ttl_hours * 3600),
        issuer: args.issuer.as_deref(),
        audience: args.audience.as_deref(),
    };
    let token = context.settings.key.mint(&claims)?;
    if context.output.json {
        return Ok(context.output.json(&json!({ "token": token.expose() }))?);
    }
    Ok(context.output.line(token.expose())?)
}

/// The scopes, checked: a misspelt one would only show at the first call.
fn scope(words: &str) -> Outcome<String> {
    if words.trim() == "all" {
        return Ok(Scope::ALL.map(Scope::as_str).join(" "));
    }
    for word in words.split_whitespace() {
        if !Scope::ALL.iter().any(|scope| scope.as_str() == word) {
            let known = Scope::ALL.map(Scope::as_str).join(" ");
            return Err(Failure::usage(format!("--scope: {word:?} is not a scope"))
                .hint(format!("there are: {known}, or `all`")));
        }
    }
    Ok(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_words() {
        assert_eq!(scope(" feed:read  ops:write ").unwrap(), "feed:read ops:write");
        assert!(scope("all").unwrap().contains("queues:write"));
        assert!(scope("feed:raed").unwrap_err().detail.contains("feed:raed"));
        assert_eq!(scope("").unwrap(), "");
    }
}
