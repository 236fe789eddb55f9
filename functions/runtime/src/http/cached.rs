//! Cached values over HTTP: conditional requests (RFC 9110 §13), `Cache-Control` and `Age`
//! (RFC 9111, RFC 5861), `Cache-Status` (RFC 9211).

use std::time::Duration;

use shared::limits::IF_NONE_MATCH_BYTES_MAX;
use shared::{Code, Error, keys};

use super::{Request, Response, conditional};
use crate::cache::{
    Answer, Cache, CacheRead, Content, Demands, FetchError, Fetched, Host, How, Limits, Policy,
    Previous, Unanswered, Wanted, Windows, Word,
};
use crate::ports::redis::Redis;

/// The caches that may store a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The response is the same for all callers: shared caches may store it.
    Public,
    /// The response depends on the token: only the client's own cache may store it.
    Private,
}

/// A value that is served over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The Redis key of the value. Bellwire's own keys are rejected
    /// ([`shared::keys::is_reserved`]).
    pub key: &'a str,
    /// The tags that invalidate the value.
    pub tags: &'a [String],
    /// The caches that may store the response. It grants no access: the caller of [`read`] checks
    /// the token first.
    pub audience: Audience,
}

/// The response to a `GET` or `HEAD` from `cache`, or from `fetch` as [`Cache::get_or_refresh`]
/// decides: 200 or 304 with a value, 404 if the source has none, 502 or 504 if the source failed
/// and no older value can be served.
///
/// ```
/// use std::time::Duration;
///
/// use runtime::cache::{FetchError, Fetched, Policy};
/// use runtime::http::cached::{self, Audience};
/// use runtime::{App, Error, Request, Response};
///
/// thread_local! {
///     static PRICES: Policy = Policy::new("prices").fresh(Duration::from_secs(30));
/// }
///
/// async fn prices(app: &App, request: &Request, shop: &str) -> Result<Response, Error> {
///     let key = format!("prices:{shop}");
///     let tags = [key.clone()];
///     let resource = cached::Resource { key: &key, tags: &tags, audience: Audience::Public };
///     let shop = shop.to_owned();
///     let fetch = async move |_known| match query(&shop).await {
///         Ok(Some(text)) => Ok(Fetched::json(text)),
///         Ok(None) => Ok(Fetched::Absent),
///         Err(text) => Err(FetchError::Failed(text)),
///     };
///     cached::read(app.cache(), request, resource, &PRICES.with(Policy::clone), fetch).await
/// }
///
/// /// JSON text from a database or an origin.
/// async fn query(shop: &str) -> Result<Option<String>, String> {
///     Ok((shop == "berlin").then(|| r#"{"tea":250}"#.to_owned()))
/// }
/// ```
///
/// # Errors
/// `invalid_field` if `If-None-Match` is not ASCII; `wrong_type` if the key holds another type than
/// a string; `internal` if the key is reserved.
pub async fn read<S, H, F, Fut>(
    cache: &Cache<S, H>,
    request: &Request,
    resource: Resource<'_>,
    policy: &Policy,
    fetch: F,
) -> Result<Response, Error>
where
    S: Redis + Clone + 'static,
    H: Host,
    F: FnOnce(Previous) -> Fut + 'static,
    Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
{
    let Resource { key, tags, audience } = resource;
    check_key(key)?;
    let if_none_match = request.header_list("if-none-match")?;
    let if_none_match =
        if if_none_match.len() > IF_NONE_MATCH_BYTES_MAX { "" } else { &*if_none_match };
    let read = CacheRead { key, tags, if_none_match };
    let answer = cache.get_or_refresh(read, policy, fetch).await?;
    Ok(response(answer, policy.windows(), audience, if_none_match))
}

/// A value of a page read: what [`read`] sends in the body and in the headers of a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// JSON text.
    pub body: Vec<u8>,
    /// The value of `ETag`, with its quotes.
    pub etag: String,
    /// Seconds since the source made the value.
    pub age_s: i64,
    /// The value of `Cache-Status`.
    pub cache_status: String,
}

/// What [`read`] would answer for each of `wanted` without `If-None-Match`, in their order, as
/// [`Cache::get_many`] reads them. No key should be among them twice.
///
/// # Errors
/// For each: `not_found`, `origin_failed`, `origin_timeout`, `wrong_type`, `internal` as of [`read`];
/// `origin_timeout` if it takes longer than the limits allow; `payload_too_large` if the value does
/// not fit into them.
pub async fn read_many<S, H, F, Fut>(
    cache: &Cache<S, H>,
    wanted: Vec<Wanted<'_, F>>,
    limits: Limits,
) -> Vec<Result<Item, Error>>
where
    S: Redis + Clone + 'static,
    H: Host,
    F: FnOnce(Previous) -> Fut + 'static,
    Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
{
    let checked: Vec<Result<(), Error>> =
        wanted.iter().map(|wanted| check_key(wanted.read.key)).collect();
    let wanted = wanted.into_iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
    let wanted = wanted.map(|(wanted, _)| wanted).collect();
    let mut outcomes = cache.get_many(wanted, limits).await.into_iter();
    let missing = || Err(Error::new(Code::Internal, "nothing was read"));
    let items = checked.into_iter().map(|checked| {
        checked?;
        outcomes.next().map_or_else(missing, |outcome| item(outcome, limits))
    });
    items.collect()
}

fn item(outcome: Result<Answer, Unanswered>, limits: Limits) -> Result<Item, Error> {
    let answer = outcome.map_err(|problem| match problem {
        Unanswered::Redis(error) => error.into(),
        Unanswered::TooLarge => too_large(limits.bytes_max),
    })?;
    let (cache_status, age_s) = (cache_status(&answer), age_s(&answer));
    let (body, etag) = found(answer.content)?;
    Ok(Item { body: body.unwrap_or_default(), etag: quoted(&etag), age_s, cache_status })
}

/// The error of a value that does not fit into the answer for several.
pub fn too_large(bytes_max: usize) -> Error {
    let problem =
        format!("the values would exceed {bytes_max} bytes together: read this one alone");
    Error::new(Code::PayloadTooLarge, problem)
}

fn check_key(key: &str) -> Result<(), Error> {
    if !keys::is_reserved(key) {
        return Ok(());
    }
    let problem = format!("the cached key {key:?} is reserved: rename the resource's key");
    Err(Error::new(Code::Internal, problem))
}

/// The value, unless the reader has it already, and its entity tag without quotes.
fn found(content: Content) -> Result<(Option<Vec<u8>>, String), Error> {
    match content {
        Content::Json { body, etag } => Ok((Some(body), etag)),
        Content::Unchanged { etag } => Ok((None, etag)),
        Content::Absent => Err(Error::not_found("this resource")),
        Content::Failed(FetchError::TimedOut) => {
            Err(Error::new(Code::OriginTimeout, "the source did not answer in time"))
        }
        Content::Failed(FetchError::Failed(_)) => {
            Err(Error::new(Code::OriginFailed, "the source failed; the functions' log says why"))
        }
    }
}

fn age_s(answer: &Answer) -> i64 {
    answer.age_ms.max(0) / 1000
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn response(answer: Answer, windows: Windows, audience: Audience, if_none_match: &str) -> Response {
    let status = cache_status(&answer);
    let control = cache_control(windows, audience, &answer);
    let age = age_s(&answer).to_string();
    let response = match found(answer.content) {
        Err(error) => problem(&error),
        Ok((Some(body), etag)) if !conditional::names(if_none_match, &etag) => {
            value(200, &etag, control, age, body)
        }
        Ok((_, etag)) => value(304, &etag, control, age, Vec::new()),
    };
    let response = response.with("cache-status", status);
    match audience {
        Audience::Public => response,
        // The next user of the same browser, and so of its cache, has another token.
        Audience::Private => response.vary("Authorization"),
    }
}

/// The response for an error. `no-store`, since caches may otherwise keep a 404 as long as they
/// like (RFC 9111 §4.2.2).
fn problem(error: &Error) -> Response {
    Response::from(error).with("cache-control", "no-store")
}

fn value(status: u16, etag: &str, control: String, age: String, body: Vec<u8>) -> Response {
    let response = if status == 304 { Response::empty(304) } else { Response::json(status, body) };
    response.with("cache-control", control).with("age", age).with("etag", quoted(etag))
}

/// The value of `Cache-Control`. `max-age` is the whole freshness lifetime: caches subtract `Age`
/// from it. The source's demands are passed on, so that no downstream cache may do more than this
/// one.
fn cache_control(windows: Windows, audience: Audience, answer: &Answer) -> String {
    let demands = &answer.demands;
    let is_public = audience == Audience::Public && !demands.has(Word::Private);
    let mut text = if is_public { "public" } else { "private" }.to_owned();
    if demands.has(Word::NoStore) {
        return if is_public { "no-store".to_owned() } else { format!("{text}, no-store") };
    }
    if demands.has(Word::NoCache) {
        text.push_str(", no-cache");
    } else {
        text.push_str(&times(windows, answer, is_public));
    }
    if demands.has(Word::NoTransform) {
        text.push_str(", no-transform");
    }
    text
}

fn times(windows: Windows, answer: &Answer, is_public: bool) -> String {
    let Demands { client, stale, error, .. } = answer.demands;
    let shared = answer.age_ms.max(0).saturating_add(answer.ttl_ms).max(0) / 1000;
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let own = client.map_or(shared, |client| seconds(client).min(shared));
    let mut text = format!(", max-age={own}");
    if is_public && own < shared {
        text.push_str(&format!(", s-maxage={shared}"));
    }
    if answer.demands.has(Word::MustRevalidate) {
        text.push_str(", must-revalidate");
    } else if answer.demands.has(Word::ProxyRevalidate) {
        text.push_str(", proxy-revalidate");
    } else {
        let least = |window: Duration, limit: Option<Duration>| {
            seconds(window.min(limit.unwrap_or(Duration::MAX)))
        };
        let (stale, error) = (least(windows.stale, stale), least(windows.error, error));
        text.push_str(&format!(", stale-while-revalidate={stale}, stale-if-error={error}"));
    }
    text
}

fn cache_status(answer: &Answer) -> String {
    let has_value = matches!(answer.content, Content::Json { .. } | Content::Unchanged { .. });
    let mut status = match answer.how {
        How::Hit => "bellwire; hit",
        How::Miss => "bellwire; fwd=miss",
        How::Expired => "bellwire; fwd=stale",
        How::Bypass => "bellwire; fwd=bypass",
    }
    .to_owned();
    if answer.stored {
        status.push_str("; stored");
    }
    if answer.collapsed {
        status.push_str("; collapsed");
    }
    if has_value {
        // The `ttl` of a stale hit is negative, even if it expired less than a second ago.
        let is_stale = answer.how == How::Hit && answer.ttl_ms <= 0;
        let ttl_ms = if is_stale { answer.ttl_ms - 1 } else { answer.ttl_ms };
        status.push_str(&format!("; ttl={}", ttl_ms.div_euclid(1000)));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(how: How, ttl_ms: i64) -> Answer {
        let (content, demands) = (Content::json("{}"), Demands::default());
        Answer { content, how, stored: false, collapsed: false, age_ms: 1500, ttl_ms, demands }
    }

    #[test]
    fn cache_status_names_the_outcome() {
        assert_eq!(cache_status(&answer(How::Hit, 4999)), "bellwire; hit; ttl=4");
        assert_eq!(cache_status(&answer(How::Hit, -1)), "bellwire; hit; ttl=-1");
        assert_eq!(cache_status(&answer(How::Hit, 0)), "bellwire; hit; ttl=-1");
        let stored = Answer { stored: true, ..answer(How::Miss, 5000) };
        assert_eq!(cache_status(&stored), "bellwire; fwd=miss; stored; ttl=5");
        let failed = FetchError::TimedOut;
        let failed = Answer { content: Content::Failed(failed), ..answer(How::Bypass, 0) };
        assert_eq!(cache_status(&failed), "bellwire; fwd=bypass");
    }

    #[test]
    fn a_caller_is_not_told_what_the_database_said() {
        let failed = FetchError::Failed("no such table: salaries".to_owned());
        let error = found(Content::Failed(failed)).err().map(|error| error.detail().to_owned());
        assert_eq!(error.as_deref(), Some("the source failed; the functions' log says why"));
    }
}
