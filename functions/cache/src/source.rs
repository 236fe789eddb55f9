//! Fetches values from their source: one SQL statement, or one HTTP origin.

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use runtime::cache::{FetchError, Fetched, Host as _, Previous, Validators, Value};
use runtime::ports::sql::{Backend, Sql as _, Value as SqlValue};
use runtime::spin::cache_host::SpinHost;
use runtime::spin::origin::{self, OriginRequest, OriginResponse};
use runtime::spin::variables;
use runtime::{Instance as _, RecordApp};

use crate::bound::Bound;
use crate::cache_control::{Caching, Declared, Headers, caching, caching_of_unchanged};
use crate::served::{Served, Target};
use resources::headers::{HEADER_BYTES_MAX, Header, HeaderPiece, is_value};
use resources::sources::{HttpOrigin, OriginHost, Source, is_host};
use resources::template::{Template, push_encoded};
use resources::{Access, Resource};

/// The error for any other type, including Postgres's json and jsonb.
const ONE_COLUMN: &str = "the query must return one column of JSON text: on Postgres, \
    cast json to it with ::text";

/// Fetches the target's value when it is called. One type for all callers, since the engine is
/// compiled for each.
pub fn fetch_of(
    target: &Target,
) -> impl FnOnce(Previous) -> Pin<Box<dyn Future<Output = Result<Fetched, FetchError>>>> + use<> {
    let (served, params) = (Rc::clone(&target.served), Rc::clone(&target.params));
    move |previous| Box::pin(async move { fetch(&served, &params, previous).await })
}

/// Fetches a value. The caller drops the future if it takes too long.
///
/// # Errors
/// The source failed, or returned an invalid value.
async fn fetch(
    served: &Served,
    params: &[String],
    previous: Previous,
) -> Result<Fetched, FetchError> {
    let fetched = match &served.resource.source {
        Source::Sql { sqlite, postgres } => sql(&served.resource, sqlite, postgres, params).await,
        Source::Http(origin) => http(served, origin, params, previous).await,
    };
    fetched.map_err(FetchError::Failed)
}

async fn sql(
    resource: &Resource,
    sqlite: &Template,
    postgres: &Template,
    params: &[String],
) -> Result<Fetched, String> {
    let app = RecordApp::get().await.map_err(|error| error.detail().to_owned())?;
    let backend = app.backend;
    let statement = match backend {
        Backend::Sqlite => sqlite,
        Backend::Postgres => postgres,
    };
    let bound = Bound::new(statement, backend, resource, params);
    let rows = app.record.sql().query(&bound.text, bound.values.clone()).await;
    let rows = rows.map_err(|error| bound.explained(&error.text))?;
    let mut rows = rows.into_iter();
    let row = match (rows.next(), rows.next()) {
        (None, _) => return Ok(Fetched::Absent),
        (Some(row), None) => row,
        _ => return Err("the query gave more than one row".to_owned()),
    };
    let mut columns = row.into_iter();
    match (columns.next(), columns.next()) {
        (Some(SqlValue::Text(body)), None) => Ok(Fetched::json(body)),
        (Some(SqlValue::Null), None) => Ok(Fetched::Absent),
        _ => Err(ONE_COLUMN.to_owned()),
    }
}

async fn http(
    served: &Served,
    origin: &HttpOrigin,
    params: &[String],
    previous: Previous,
) -> Result<Fetched, String> {
    let authority = match &origin.host {
        OriginHost::Fixed(host) => host.clone(),
        OriginHost::Variable(name) => {
            let host = variable(name).await?;
            if !is_host(&host) {
                return Err(format!(
                    "the variable {name} must be host[:port], without a scheme or a path"
                ));
            }
            host
        }
    };
    let mut headers = Vec::with_capacity(origin.headers.len() + 3);
    for Header { name, value } in &origin.headers {
        headers.push((name.clone(), filled(value).await?));
    }
    if !headers.iter().any(|(name, _)| name == "accept") {
        headers.push(("accept".to_owned(), b"application/json".to_vec()));
    }
    let Validators { etag, last_modified } = &previous.validators;
    for (name, value) in [("if-none-match", etag), ("if-modified-since", last_modified)] {
        if !value.is_empty() {
            headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }
    let request = OriginRequest {
        is_tls: origin.is_tls,
        authority,
        target: origin.target.fill(params, push_encoded),
        headers,
        bytes_max: served.resource.bytes_max,
    };
    let begun_ms = SpinHost.now_ms();
    let response = origin::get(&request).await?;
    let delay_ms = u64::try_from(SpinHost.now_ms() - begun_ms).unwrap_or(0);
    let caching = caching_of(&response, served, origin, &previous, Duration::from_millis(delay_ms));
    let fresh_max = served.policy.windows().fresh;
    let mut value = Value {
        body: String::new(),
        validators: Validators {
            etag: response.header("etag").to_owned(),
            last_modified: response.header("last-modified").to_owned(),
        },
        fresh: caching.fresh.map(|fresh| fresh.min(fresh_max)),
        age: caching.age,
        no_store: caching.no_store,
        demands: caching.demands,
    };
    match response.status {
        200 => {
            let body = String::from_utf8(response.body).map_err(|_| "no UTF-8".to_owned())?;
            Ok(Fetched::Value(Value { body, ..value }))
        }
        304 => {
            if value.validators.is_empty() {
                value.validators = previous.validators;
            }
            Ok(Fetched::Same(value))
        }
        404 | 410 => Ok(match (caching.no_store, caching.fresh) {
            (true, _) => Fetched::AbsentFor(Duration::ZERO),
            (false, Some(fresh)) => Fetched::AbsentFor(fresh),
            (false, None) => Fetched::Absent,
        }),
        status => Err(format!("the origin answered {status}")),
    }
}

/// The value of a variable of the component.
async fn variable(name: &str) -> Result<String, String> {
    let value = variables::get(name).await;
    let value = value.map_err(|problem| format!("the variable {name}: {problem}"))?;
    value.ok_or_else(|| format!("the variable {name} is not given to the component"))
}

/// The value of a header with its variables, which no error repeats: they may be secrets.
async fn filled(pieces: &[HeaderPiece]) -> Result<Vec<u8>, String> {
    let mut value = String::new();
    for piece in pieces {
        match piece {
            HeaderPiece::Text(text) => value.push_str(text),
            HeaderPiece::Variable(name) => {
                let text = variable(name).await?;
                // Files end with a newline, which is not part of the secret.
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() || !is_value(text) {
                    return Err(format!(
                        "the variable {name} must be printable ASCII and not empty, for a header"
                    ));
                }
                value.push_str(text);
            }
        }
    }
    match value.len() {
        ..=HEADER_BYTES_MAX => Ok(value.into_bytes()),
        _ => Err("a header is longer than 4 KiB with its variables".to_owned()),
    }
}

/// The demands of the answer's headers on caches.
fn caching_of(
    response: &OriginResponse,
    served: &Served,
    origin: &HttpOrigin,
    previous: &Previous,
    delay: Duration,
) -> Caching {
    let list = |name| response.header_list(name);
    let (cache_control, age, expires) = (list("cache-control"), list("age"), list("expires"));
    let (pragma, vary) = (list("pragma"), list("vary"));
    let headers = Headers {
        cache_control: &cache_control,
        age: &age,
        date: response.header("date"),
        expires: &expires,
        pragma: &pragma,
        vary: &vary,
    };
    let declared = Declared {
        windows: served.policy.windows(),
        is_shared: !matches!(served.resource.access, Access::Subject(_)),
        honours_times: origin.honours_cache_control,
    };
    let now = SystemTime::now();
    match response.status {
        304 => caching_of_unchanged(&headers, previous.demands, &declared, now, delay),
        _ => caching(&headers, &declared, now, delay),
    }
}
