//! `DELETE /cache/{resource}[/{param}…]` and `POST /cache/invalidate`.

use runtime::cache::{CacheRead, Mode};
use runtime::http::auth;
use runtime::{App, Code, Error, Request, Response};
use serde_json::json;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{CACHE_INVALIDATE_TAGS_MAX, REQUEST_ARRAY_BYTES_MAX};

use crate::served::Target;
use resources::template::is_tag;

/// Invalidates one value; `?mode=soft` marks it stale, otherwise it is removed.
///
/// # Errors
/// Request errors; `redis_unavailable`, after which the request can be repeated.
pub async fn one(app: &App, request: &Request, target: &Target) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CacheWrite)?;
    let query = request.query(&["mode"])?;
    let mode = mode(query.first().map(|(_, word)| word.as_str()))?;
    let (key, tags) = (target.key(), target.tags());
    let read = CacheRead { key: &key, tags: &tags, if_none_match: "" };
    app.cache().invalidate(read, &target.served.policy, mode).await?;
    Ok(Response::empty(204))
}

/// Invalidates all values with one of `{"tags":[…],"mode":"soft"|"hard"}`; hard by default. Answers
/// `{"invalidated":n}`, the number of tags.
///
/// # Errors
/// Request errors; `redis_unavailable`, after which the request can be repeated.
pub async fn tags(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CacheWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let value = object.require("tags")?;
    let mut tags: Vec<String> = serde_json::from_str(value.get())
        .map_err(|_| object.invalid("tags", "must be an array of strings"))?;
    let mode = mode(object.string("mode")?.as_deref())?;
    if tags.len() > CACHE_INVALIDATE_TAGS_MAX {
        let problem = format!("has more than {CACHE_INVALIDATE_TAGS_MAX} tags");
        return Err(object.beyond("tags", &problem));
    }
    for tag in &tags {
        if !is_tag(tag) {
            return Err(object.invalid("tags", "must contain tags of the alphabet of ids and `:`"));
        }
    }
    object.finish()?;
    tags.sort_unstable();
    tags.dedup();
    if !tags.is_empty() {
        app.cache().invalidate_tags(&tags, mode).await?;
    }
    Ok(Response::json(200, json!({"invalidated": tags.len()}).to_string()))
}

fn mode(word: Option<&str>) -> Result<Mode, Error> {
    let problem = || Error::field(Code::InvalidField, "mode", "`mode` must be soft or hard");
    word.map_or(Ok(Mode::Hard), |word| Mode::parse(word).ok_or_else(problem))
}
