//! Where values come from: one SQL statement, or one HTTP origin.

use std::time::Duration;

use runtime::App;
use runtime::cache::{FetchError, Fetched, Known, Validators, Value};
use runtime::io::origin::{self, OriginRequest, OriginResponse};
use runtime::io::variables;
use runtime::record::{Backend, Sql, Value as SqlValue};

use crate::cache_control::{Verdict, age_s, verdict};
use resources::origins::{HttpOrigin, Origin, OriginHost, is_host};
use resources::template::{Piece, Template, push_encoded};
use resources::{Access, Resource};

/// Fetches a value. What takes too long is dropped by the caller.
///
/// # Errors
/// The source failed, or gave what is no value.
pub async fn fetch(
    resource: &Resource,
    params: &[String],
    known: Known,
) -> Result<Fetched, FetchError> {
    let fetched = match &resource.origin {
        Origin::Sql { sqlite, postgres } => sql(sqlite, postgres, params).await,
        Origin::Http(origin) => http(resource, origin, params, known).await,
    };
    fetched.map_err(FetchError::Failed)
}

async fn sql(sqlite: &Template, postgres: &Template, params: &[String]) -> Result<Fetched, String> {
    let app = App::get().await.map_err(|error| error.detail().to_owned())?;
    let (statement, sign) = match app.config.record {
        Backend::Sqlite => (sqlite, '?'),
        Backend::Postgres => (postgres, '$'),
    };
    let (text, values) = bound(statement, sign, params);
    let rows = app.record.sql().query(&text, values).await?;
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
        _ => Err("the query must give one column of JSON text".to_owned()),
    }
}

/// The statement with numbered places, and the values that belong there.
fn bound(statement: &Template, sign: char, params: &[String]) -> (String, Vec<SqlValue>) {
    let (mut text, mut used) = (String::new(), Vec::new());
    for piece in &statement.0 {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Param(param) => {
                let at = used.iter().position(|known| known == param).unwrap_or_else(|| {
                    used.push(*param);
                    used.len() - 1
                });
                text.push(sign);
                text.push_str(&(at + 1).to_string());
            }
        }
    }
    let value = |at: &usize| params.get(*at).map_or(SqlValue::Null, |text| SqlValue::text(text));
    (text, used.iter().map(value).collect())
}

async fn http(
    resource: &Resource,
    origin: &HttpOrigin,
    params: &[String],
    known: Known,
) -> Result<Fetched, String> {
    let authority = match &origin.host {
        OriginHost::Fixed(host) => host.clone(),
        OriginHost::Variable(name) => {
            let host = variables::get(name).await;
            let host = host.map_err(|problem| format!("the variable {name}: {problem}"))?;
            if !is_host(&host) {
                return Err(format!("the variable {name} is no host:port"));
            }
            host
        }
    };
    let mut headers = vec![("accept".to_owned(), b"application/json".to_vec())];
    let Validators { etag, last_modified } = &known.validators;
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
        bytes_max: resource.bytes_max,
    };
    let response = origin::get(&request).await?;
    let is_public = resource.access == Access::Public;
    let mut value = described(&response, origin.honours_cache_control, is_public);
    match response.status {
        200 => {
            let body = String::from_utf8(response.body).map_err(|_| "no UTF-8".to_owned())?;
            Ok(Fetched::Value(Value { body, ..value }))
        }
        304 => {
            if value.validators.is_empty() {
                value.validators = known.validators;
            }
            Ok(Fetched::Same(value))
        }
        404 | 410 => Ok(Fetched::Absent),
        status => Err(format!("the origin answered {status}")),
    }
}

/// What the headers say about a value.
fn described(response: &OriginResponse, honours: bool, is_public: bool) -> Value {
    let validators = Validators {
        etag: response.header("etag").to_owned(),
        last_modified: response.header("last-modified").to_owned(),
    };
    let mut value = Value { validators, ..Value::default() };
    if honours {
        let age = response.header("age");
        match verdict(response.header("cache-control"), age, is_public) {
            Verdict::Silent => {}
            Verdict::NoStore => value.no_store = true,
            Verdict::Fresh(fresh) => value.fresh = Some(fresh),
        }
        value.age = Duration::from_secs(age_s(age).min(u64::from(u32::MAX)));
    }
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use resources::template::Braces;

    #[test]
    fn parameters_are_bound_in_the_order_of_their_first_use() {
        let params = ["a".to_owned(), "b".to_owned()];
        let text = "SELECT '{}' WHERE x = {b} AND y = {a} AND z = {b}";
        let statement = Template::parse(text, &params, Braces::Lenient).unwrap();
        let values = ["1; DROP TABLE x".to_owned(), "2".to_owned()];
        let (text, bound) = bound(&statement, '$', &values);
        assert_eq!(text, "SELECT '{}' WHERE x = $1 AND y = $2 AND z = $1");
        assert_eq!(bound, [SqlValue::text("2"), SqlValue::text("1; DROP TABLE x")]);
    }
}
