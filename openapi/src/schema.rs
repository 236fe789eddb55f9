//! Words for JSON Schema: only those that the document uses, so that the tests' checker knows them all.

use serde_json::{Map, Value, json};

/// A schema of `components/schemas`.
pub fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub fn text() -> Value {
    json!({"type": "string"})
}

pub fn text_max(length_max: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": length_max})
}

pub fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

pub fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

pub fn flag() -> Value {
    json!({"type": "boolean"})
}

pub fn anything() -> Value {
    json!({})
}

/// A number that is not negative.
pub fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub fn integer(minimum: i64, maximum: i64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

pub fn or_null(mut schema: Value) -> Value {
    let name = schema["type"].take();
    schema["type"] = json!([name, "null"]);
    schema
}

pub fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub fn list_max(items: Value, items_max: usize) -> Value {
    json!({"type": "array", "items": items, "maxItems": items_max})
}

/// Any of these.
pub fn any_of(schemas: &[Value]) -> Value {
    json!({"anyOf": schemas})
}

/// With words about it.
pub fn about(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// An object that has these members and no others; names with `?` may be absent.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let is_required = |name: &&str| !name.ends_with('?');
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).filter(is_required).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
