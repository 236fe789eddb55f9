//! Header fields that requests to an HTTP origin carry, as declared in `[resource.http]`. A value may
//! contain variables of the component, such as the origin's token; parameters of the path never are
//! part of one.

use crate::toml_table::{Field, Fields, Mistake};

/// Header fields of one origin: a token, a tenant, a version.
const HEADERS_MAX: usize = 16;
/// Longest value, in bytes, with its variables: servers commonly accept 8 KiB for all fields together.
pub const HEADER_BYTES_MAX: usize = 4096;

/// Fields that the cache or HTTP itself sets, or that would change what an answer means.
const RESERVED: [&str; 20] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie2",
    "expect",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// A header field of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub name: String,
    pub value: Vec<HeaderPiece>,
}

/// A part of a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderPiece {
    Text(String),
    /// A variable of the component.
    Variable(String),
}

/// Parses `[resource.http.headers]`.
///
/// # Errors
/// The first mistake. It never repeats a value, which may be a secret.
pub fn headers(table: Fields<'_>) -> Result<Vec<Header>, Mistake> {
    let mut headers: Vec<Header> = Vec::new();
    for (name, field) in table.texts()? {
        let header = header(&name, &field)?;
        if headers.iter().any(|other| other.name == header.name) {
            return Err(field.mistake("is there twice: upper and lower case make no difference"));
        }
        if headers.len() == HEADERS_MAX {
            return Err(field.mistake(format!("is one too many: {HEADERS_MAX} are allowed")));
        }
        headers.push(header);
    }
    Ok(headers)
}

fn header(name: &str, field: &Field<String>) -> Result<Header, Mistake> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(field.mistake("is not a name of a header field"));
    }
    let name = name.to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) || name.starts_with("proxy-") {
        return Err(field.mistake("is a header field that cannot be set here"));
    }
    let value = pieces(&field.value).map_err(|problem| field.mistake(problem))?;
    Ok(Header { name, value })
}

fn pieces(text: &str) -> Result<Vec<HeaderPiece>, String> {
    if text.trim() != text || text.is_empty() {
        return Err("must not be empty, begin or end with a space".to_owned());
    }
    if !is_value(text) {
        return Err("must be printable ASCII, at most 4 KiB".to_owned());
    }
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let name = after.split_once("}}").map(|(name, _)| name.trim());
        let Some(name) = name.filter(|name| is_variable(name)) else {
            return Err("has `{{` without a variable's name (a-z, 0-9 and _) and `}}`".to_owned());
        };
        if !before.is_empty() {
            pieces.push(HeaderPiece::Text(before.to_owned()));
        }
        pieces.push(HeaderPiece::Variable(name.to_owned()));
        rest = after.split_once("}}").map_or("", |(_, rest)| rest);
    }
    if !rest.is_empty() {
        pieces.push(HeaderPiece::Text(rest.to_owned()));
    }
    let is_braced = |piece: &HeaderPiece| match piece {
        HeaderPiece::Text(text) => text.contains(['{', '}']),
        HeaderPiece::Variable(_) => false,
    };
    match pieces.iter().any(is_braced) {
        true => Err("has a brace: parameters of the path cannot be in a header field, and a \
                     variable is written {{ name }}"
            .to_owned()),
        false => Ok(pieces),
    }
}

/// Whether the text is the name of a variable of a component.
pub fn is_variable(name: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !name.is_empty() && name.bytes().all(is_known)
}

/// Whether the text can be part of a header's value: nothing that would end it.
pub fn is_value(text: &str) -> bool {
    text.len() <= HEADER_BYTES_MAX && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}
