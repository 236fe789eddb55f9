//! `GET /cache/{resource}[/{param}…]`.

use std::cell::OnceCell;
use std::rc::Rc;

use runtime::cache::{Cache, Entry};
use runtime::io::cache_host::SpinHost;
use runtime::io::redis::SpinRedis;
use runtime::{App, Error, Request, Response};
use shared::limits::IF_NONE_MATCH_BYTES_MAX;

use crate::served::Target;
use crate::{access, respond, source};

type SpinCache = Cache<Rc<SpinRedis>, SpinHost>;

/// One cache per instance, for values it has just read.
fn cache(app: &App) -> SpinCache {
    thread_local! {
        static CACHE: OnceCell<SpinCache> = const { OnceCell::new() };
    }
    let made = || Cache::new(Rc::clone(&app.redis), SpinHost);
    CACHE.with(|cache| cache.get_or_init(made).clone())
}

/// Answers from the cache or from the source.
///
/// # Errors
/// Request errors; `wrong_type`. A failure of the source is reported as an answer.
pub async fn read(app: &App, request: &Request, target: Target) -> Result<Response, Error> {
    access::check(app, request, &target)?;
    if !request.query.is_empty() {
        request.query(&[])?;
    }
    let if_none_match = request.header_list("if-none-match")?;
    let if_none_match =
        if if_none_match.len() > IF_NONE_MATCH_BYTES_MAX { "" } else { &*if_none_match };
    let cache = cache(app);
    let (key, tags) = (target.key(), target.tags());
    let entry = Entry { key: &key, tags: &tags, if_none_match };
    let (served, params) = (Rc::clone(&target.served), Rc::clone(&target.params));
    let fetch = move |known| async move { source::fetch(&served, &params, known).await };
    let answer = cache.get_or_refresh(entry, &target.served.policy, fetch).await?;
    Ok(respond::response(&target.served, answer, if_none_match))
}
