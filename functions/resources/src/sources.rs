//! Sources of resources: SQL statements and HTTP origins, as declared in resources.toml. Also used
//! by build.rs.

use crate::headers::{Header, headers, is_variable};
use crate::template::{Braces, Template};
use crate::toml_table::{Fields, Mistake};

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Sql { sqlite: Template, postgres: Template },
    Http(HttpOrigin),
}

/// An HTTP origin; only path and query contain parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOrigin {
    pub is_tls: bool,
    pub host: OriginHost,
    /// The URL from the first `/` after the host.
    pub target: Template,
    /// The origin's times in Cache-Control, Expires and Age shorten the declared ones. Its
    /// prohibitions apply in any case.
    pub honours_cache_control: bool,
    /// Further header fields of each request.
    pub headers: Vec<Header>,
}

/// `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginHost {
    Fixed(String),
    /// A variable of the component.
    Variable(String),
}

/// Parses `[resource.sql]`.
///
/// # Errors
/// The first mistake.
pub fn sql_source(mut table: Fields<'_>, params: &[String]) -> Result<Source, Mistake> {
    let mut statement = |name: &str| {
        let Some(field) = table.string(name)? else { return Ok(None) };
        let parse = |text: String| {
            let is_empty = text.trim().is_empty();
            if is_empty { Err("is empty".to_owned()) } else { Ok(text) }
        };
        let field = field.map(parse)?;
        field.map(|text| Template::parse(&text, params, Braces::Lenient)).map(|f| Some(f.value))
    };
    let (query, sqlite, postgres) =
        (statement("query")?, statement("sqlite")?, statement("postgres")?);
    let origin = match (query, sqlite, postgres) {
        (Some(query), None, None) => Source::Sql { sqlite: query.clone(), postgres: query },
        (None, Some(sqlite), Some(postgres)) => Source::Sql { sqlite, postgres },
        _ => return Err(table.mistake("`sql` needs `query`, or `sqlite` and `postgres`")),
    };
    Ok(origin)
}

/// Parses `[resource.http]`.
///
/// # Errors
/// The first mistake.
pub fn http_source(mut table: Fields<'_>, params: &[String]) -> Result<Source, Mistake> {
    let url = table.string("url")?.ok_or_else(|| table.mistake("`http.url` is missing"))?;
    let honours_cache_control = table.bool("honour_cache_control")?.unwrap_or(true);
    let headers = table.table("headers")?.map(headers).transpose()?.unwrap_or_default();
    let origin = url.map(|text| {
        let (is_tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => {
                return Err(format!(
                    "has no scheme: write \"http://{}\" or https://",
                    unschemed(&text)
                ));
            }
        };
        let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = origin_host(host)?;
        let has_path = target.starts_with('/');
        if !has_path || target.contains(['#', ' ']) || !target.is_ascii() {
            return Err(bad_target(&text, target));
        }
        let target = Template::parse(target, params, Braces::Strict)?;
        Ok(HttpOrigin { is_tls, host, target, honours_cache_control, headers })
    })?;
    Ok(Source::Http(origin.value))
}

/// The URL without the text in the place of a scheme.
fn unschemed(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.trim_start_matches('/')
}

fn bad_target(url: &str, target: &str) -> String {
    if !target.starts_with('/') {
        let address = url.strip_suffix(target).unwrap_or(url);
        return format!("has no path: write \"{address}/{target}\"");
    }
    match target.chars().find(|c| matches!(c, '#' | ' ') || !c.is_ascii()) {
        Some('#') => "has a fragment (#…), which is never sent to an origin".to_owned(),
        Some(c) => format!("has {c:?} in its path: percent-encode it"),
        None => "is not a URL".to_owned(),
    }
}

fn origin_host(text: &str) -> Result<OriginHost, String> {
    if let Some(name) = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        let name = name.trim();
        return match is_variable(name) {
            true => Ok(OriginHost::Variable(name.to_owned())),
            false => {
                Err(format!("has the host {text}: the name of a variable has only a-z, 0-9 and _"))
            }
        };
    }
    if !is_host(text) {
        return Err(format!(
            "has the host {text:?}: write a fixed host[:port], or a variable of the component in two \
             pairs of braces, {{{{ name }}}}"
        ));
    }
    Ok(OriginHost::Fixed(text.to_owned()))
}

/// Whether the text is a valid `host[:port]` for a URL: no user, no parameter, nothing that ends it
/// early.
pub fn is_host(text: &str) -> bool {
    let is_known =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    !text.is_empty() && text.bytes().all(is_known)
}
