//! Checks answers against `docs/openapi.json`: the status is listed, and the body fits its schema.
//! Supports only the keywords of JSON Schema that the document uses.

use std::sync::OnceLock;

use serde_json::Value;

use crate::Answer;
use crate::paths::workspace;

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = std::fs::read_to_string(workspace().join("docs/openapi.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// The path template that matches, and its description; literal segments come before parameters.
pub fn find(path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    let candidates = paths.iter().filter(|(template, _)| fits(template, path));
    let best = candidates.min_by_key(|(template, _)| template.matches('{').count());
    best.map(|(template, item)| (template.as_str(), item))
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            // Resources with longer paths have the same description.
            (Some("{part3}"), Some(_)) => return true,
            (Some(name), Some(_)) if name.starts_with('{') => {}
            (Some(name), Some(segment)) if name == segment => {}
            _ => return false,
        }
    }
}

/// Checks one answer.
pub fn check(answer: &Answer, body: Option<&Value>) {
    let (method, uri) = answer.shown.split_once(' ').unwrap();
    let target = uri.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let path = target.unwrap_or("/").split('?').next().unwrap();
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    if method == "options" {
        return;
    }
    let operation = find(path).and_then(|(_, item)| item.get(&method));
    let Some(operation) = operation else {
        // An invalid or unknown path, an unknown method, or `internal` without its
        // configuration.
        let listed = [400, 404, 405, 500];
        assert!(listed.contains(&answer.status), "not in docs/openapi.json: {answer:#?}");
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "the status is not in docs/openapi.json: {answer:#?}");
    let response = resolved(response);
    let Some(body) = body else { return };
    let kind = answer.header("content-type");
    let schema = &response["content"][kind]["schema"];
    assert!(schema.is_object(), "{kind} is not in docs/openapi.json: {answer:#?}");
    if let Err(problem) = fits_schema(schema, body, "body") {
        panic!("not as docs/openapi.json says: {problem}: {}: {}", answer.shown, answer.text());
    }
}

/// Checks one text frame of a `bellwire.v1` socket.
pub fn check_frame(text: &str) {
    // Messages of other services need not be valid JSON in every detail.
    let Ok(frame) = serde_json::from_str(text) else { return };
    if let Err(problem) =
        fits_schema(&document()["components"]["schemas"]["HubFrame"], &frame, "frame")
    {
        panic!("not as docs/openapi.json says: {problem}: {text}");
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// # Errors
/// The mismatch, and its place.
pub fn fits_schema(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    if schema["$ref"].is_string() {
        fits_schema(resolved(schema), value, at)?;
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let problems: Vec<String> =
            any.iter().filter_map(|schema| fits_schema(schema, value, at).err()).collect();
        if problems.len() == any.len() {
            return Err(problems.join("; "));
        }
    }
    for schema in schema["allOf"].as_array().into_iter().flatten() {
        fits_schema(schema, value, at)?;
    }
    if let Some(one) = schema["oneOf"].as_array() {
        let problems: Vec<String> =
            one.iter().filter_map(|schema| fits_schema(schema, value, at).err()).collect();
        if one.len() - problems.len() != 1 {
            return Err(format!("{at} fits no alternative: {}", problems.join("; ")));
        }
    }
    // Patterns are not evaluated, so any text would fit a forbidden one.
    let is_forbidding = schema["not"].is_object() && !schema["not"]["pattern"].is_string();
    if is_forbidding && fits_schema(&schema["not"], value, at).is_ok() {
        return Err(format!("{at} fits a forbidden schema"));
    }
    has_type(&schema["type"], value, at)?;
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value))
        || schema.get("const").is_some_and(|only| only != value)
    {
        return Err(format!("{at} is {value}"));
    }
    if let Some(number) = value.as_i64() {
        let (minimum, maximum) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        if minimum.is_some_and(|min| number < min) || maximum.is_some_and(|max| number > max) {
            return Err(format!("{at} is {number}"));
        }
    }
    if let Some(items) = value.as_array()
        && schema["items"].is_object()
    {
        for (index, item) in items.iter().enumerate() {
            fits_schema(&schema["items"], item, &format!("{at}[{index}]"))?;
        }
    }
    fits_members(schema, value, at)
}

fn has_type(wanted: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the checker does not know the type {other}"),
    };
    let fits = match wanted {
        Value::Null => true,
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        name => is(name.as_str().unwrap()),
    };
    if fits { Ok(()) } else { Err(format!("{at} is not of the type {wanted}: {value}")) }
}

fn fits_members(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            return Err(format!("{at} lacks {name}"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) => fits_schema(schema, member, &at)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at} is not in the schema")),
            (None, Some(schema @ Value::Object(_))) => fits_schema(schema, member, &at)?,
            (None, _) => {}
        }
    }
    Ok(())
}
