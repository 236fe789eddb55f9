//! `POST /cache/read`: what the reads of several paths would answer, together.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use runtime::cache::{CacheRead, Limits, Wanted};
use runtime::http::cached::{self, Item};
use runtime::{App, Code, Error, Method, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Claims;
use shared::json::{Object, quoted};
use shared::limits::{
    CACHE_READ_BYTES_MAX, CACHE_READ_PATHS_MAX, CACHE_READ_WAIT_MS, REQUEST_ARRAY_BYTES_MAX,
};

use crate::served::Target;
use crate::{access, source};

const LIMITS: Limits =
    Limits { bytes_max: CACHE_READ_BYTES_MAX, wait: Duration::from_millis(CACHE_READ_WAIT_MS) };
/// Bytes of a result beside its value: enough for most.
const RESULT_BYTES: usize = 160;

/// Takes `{"paths":[…]}` and answers 200 with a result per path, in order. A path that stands twice
/// is read once.
///
/// # Errors
/// Request errors. Everything else is the result of its path.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let paths = paths(&body)?;
    let caller = Caller { app, request, claims: OnceCell::new() };
    let mut page = Page::default();
    let places = paths.iter().map(|path| Ok(page.place(caller.admit(&path.text)?)));
    let places: Vec<Result<usize, Error>> = places.collect();
    let items = page.items(app).await;
    let results = results(&paths, &places, &items);
    Ok(Response::json(200, results).with("cache-control", "no-store"))
}

/// A path, and the JSON text that it has in the request.
struct Path<'a> {
    text: String,
    raw: &'a RawValue,
}

fn paths(body: &[u8]) -> Result<Vec<Path<'_>>, Error> {
    let mut object = Object::parse(body)?;
    let items = object.require_array("paths", CACHE_READ_PATHS_MAX)?;
    let paths = items.into_iter().enumerate().map(|(at, raw)| {
        let text = serde_json::from_str(raw.get());
        let text = text
            .map_err(|_| object.invalid(&format!("paths[{at}]"), "must be a path in a string"))?;
        Ok(Path { text, raw })
    });
    let paths = paths.collect::<Result<_, Error>>()?;
    object.finish()?;
    Ok(paths)
}

/// The caller of all reads, whose token is verified once, if a resource asks for one.
struct Caller<'a> {
    app: &'a App,
    request: &'a Request,
    claims: OnceCell<Result<Rc<Claims>, Error>>,
}

impl Caller<'_> {
    /// The target of `GET /cache/{path}`, if the caller may read it.
    fn admit(&self, path: &str) -> Result<Target, Error> {
        let read = Request::new(Method::Get, &format!("/cache/{path}"), Vec::new(), None)?;
        let target = Target::find(read.path().get(1..).unwrap_or_default())?;
        let claims = || self.claims.get_or_init(|| self.app.authenticate(self.request)).clone();
        access::check(claims, &target)?;
        if !read.query.is_empty() {
            read.query(&[])?;
        }
        Ok(target)
    }
}

/// The values to read, each once.
#[derive(Default)]
struct Page {
    reads: Vec<Read>,
    /// The place of each key.
    places: BTreeMap<String, usize>,
}

struct Read {
    target: Target,
    key: String,
    tags: Vec<String>,
}

impl Page {
    /// The place of the target's value among all.
    fn place(&mut self, target: Target) -> usize {
        let key = target.key();
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.reads.len();
        self.places.insert(key.clone(), place);
        self.reads.push(Read { tags: target.tags(), key, target });
        place
    }

    /// The values, or the errors of their reads.
    async fn items(&self, app: &App) -> Vec<Result<Item, Error>> {
        let wanted = self.reads.iter().map(|Read { target, key, tags }| Wanted {
            read: CacheRead { key, tags, if_none_match: "" },
            policy: &target.served.policy,
            fetch: source::fetch_of(target),
        });
        cached::read_many(app.cache(), wanted.collect(), LIMITS).await
    }
}

/// The body of the answer. A value that stands twice counts twice against the limit.
fn results(
    paths: &[Path<'_>],
    places: &[Result<usize, Error>],
    items: &[Result<Item, Error>],
) -> Vec<u8> {
    let bytes_of = |place: &Result<usize, Error>| match place {
        Ok(at) => items.get(*at).and_then(|item| item.as_ref().ok()).map_or(0, |it| it.body.len()),
        Err(_) => 0,
    };
    let bytes: usize = places.iter().map(|place| RESULT_BYTES + bytes_of(place)).sum();
    let mut body = Vec::with_capacity(bytes.min(CACHE_READ_BYTES_MAX));
    let mut left = CACHE_READ_BYTES_MAX;
    body.extend_from_slice(b"{\"results\":[");
    for (at, (path, place)) in paths.iter().zip(places).enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"path\":");
        body.extend_from_slice(path.raw.get().as_bytes());
        match place.as_ref().map(|place| items.get(*place)) {
            Ok(Some(Ok(item))) => match left.checked_sub(item.body.len()) {
                Some(rest) => {
                    left = rest;
                    push_value(&mut body, item);
                }
                None => push_error(&mut body, &cached::too_large(CACHE_READ_BYTES_MAX)),
            },
            Ok(Some(Err(error))) | Err(error) => push_error(&mut body, error),
            Ok(None) => push_error(&mut body, &Error::new(Code::Internal, "nothing was read")),
        }
    }
    body.extend_from_slice(b"]}");
    body
}

/// The rest of a result with a value, which is JSON: the engine validates every value that it stores,
/// fetches, or finds from another service.
fn push_value(body: &mut Vec<u8>, item: &Item) {
    body.extend_from_slice(b",\"status\":200,\"value\":");
    body.extend_from_slice(&item.body);
    let (etag, age, status) = (quoted(&item.etag), item.age_s, quoted(&item.cache_status));
    let rest = format!(",\"etag\":{etag},\"age\":{age},\"cacheStatus\":{status}}}");
    body.extend_from_slice(rest.as_bytes());
}

/// The rest of a result without one.
fn push_error(body: &mut Vec<u8>, error: &Error) {
    let (status, error) = (error.code().status(), error.item_json());
    body.extend_from_slice(format!(",\"status\":{status},\"error\":{error}}}").as_bytes());
}
