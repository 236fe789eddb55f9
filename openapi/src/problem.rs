//! Errors as the document has them: `components/responses`.

use serde_json::{Value, json};
use shared::Code;

use crate::headers;
use crate::schema::named;

/// The name of a problem with one of these codes: operations share them.
pub fn problem_name(codes: &[Code]) -> String {
    codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join("-")
}

/// A problem with one of these codes, which have one status.
pub fn problem(codes: &[Code]) -> Value {
    let titles: Vec<&str> = codes.iter().map(|code| code.title()).collect();
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let schema = json!({"allOf": [
        named("Problem"),
        {"type": "object", "properties": {"code": {"enum": words}}},
    ]});
    let mut names = vec![headers::REQUEST_ID];
    if codes.iter().all(|code| code.retry_after_s().is_some()) {
        names.push(headers::RETRY_AFTER);
    }
    if codes.iter().any(|code| code.status() == 401) {
        names.push(headers::WWW_AUTHENTICATE);
    }
    json!({
        "description": format!("{}.", titles.join("; ")),
        "headers": headers::refer(&names),
        "content": {"application/problem+json": {"schema": schema}},
    })
}
