//! Builders for JSON Schema, limited to the keywords that the document uses, so that the tests' checker
//! supports all of them.

use serde_json::{Map, Value, json};

/// A schema of `components/schemas`.
pub fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub fn text() -> Value {
    json!({"type": "string"})
}

/// Text of `1..=length_max` characters. Requests with U+0000 are rejected.
pub fn text_max(length_max: usize) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": length_max, "pattern": NO_NUL,
    })
}

/// Text of `0..=bytes_max` bytes. The limit is a description, since JSON Schema counts characters.
pub fn bytes_max(bytes_max: usize) -> Value {
    let words = format!("At most {bytes_max} bytes.");
    about(json!({"type": "string", "maxLength": bytes_max, "pattern": NO_NUL}), &words)
}

/// Any text without U+0000.
pub const NO_NUL: &str = r"^[^\x00]*$";

/// Text that matches a regular expression (ECMA-262, without lookarounds).
pub fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

/// The decimal text of a number from 0 to `max`, without leading zeros.
pub fn decimal(max: u64) -> Value {
    let digits = max.to_string();
    let mut choices = vec!["0".to_owned()];
    if digits.len() > 1 {
        choices.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    // As many digits as `max`: equal up to a position, and smaller there.
    for (at, digit) in digits.char_indices() {
        let (least, rest) = (if at == 0 { '1' } else { '0' }, digits.len() - at - 1);
        if let Some(below) = char::from_u32(u32::from(digit) - 1).filter(|below| *below >= least) {
            choices.push(format!("{}[{least}-{below}][0-9]{{{rest}}}", &digits[..at]));
        }
    }
    choices.push(digits);
    pattern(&format!("^({})$", choices.join("|")))
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

/// Any JSON, in answers; requests use the schema `Json`.
pub fn anything() -> Value {
    json!({})
}

/// A non-negative integer.
pub fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub fn integer(minimum: i64, maximum: i64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

pub fn with_default(mut schema: Value, default: impl Into<Value>) -> Value {
    schema["default"] = default.into();
    schema
}

pub fn or_null(mut schema: Value) -> Value {
    match schema["type"].take() {
        Value::String(name) if schema.get("enum").is_none() => {
            schema["type"] = json!([name, "null"]);
            schema
        }
        Value::String(name) => {
            schema["type"] = name.into();
            any_of(&[schema, nothing()])
        }
        _ => {
            if let Some(words) = schema.as_object_mut() {
                words.remove("type");
            }
            any_of(&[schema, nothing()])
        }
    }
}

/// `null` alone.
pub fn nothing() -> Value {
    json!({"type": "null"})
}

pub fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub fn list_max(items: Value, items_max: usize) -> Value {
    json!({"type": "array", "items": items, "maxItems": items_max})
}

/// A list of at least one item.
pub fn some_max(items: Value, items_max: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": 1, "maxItems": items_max})
}

/// An object with members of any name.
pub fn map(values: Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

/// Any of these.
pub fn any_of(schemas: &[Value]) -> Value {
    json!({"anyOf": schemas})
}

/// Exactly one of these.
pub fn one_of(schemas: &[Value]) -> Value {
    json!({"oneOf": schemas})
}

/// Adds a description.
pub fn about(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// An object with exactly these members; names with `?` are optional.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let is_required = |name: &&str| !name.ends_with('?');
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).filter(is_required).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if let (true, Some(words)) = (required.is_empty(), object.as_object_mut()) {
        words.remove("required");
    }
    object
}

/// The same for a request, where `null` is an absent member.
pub fn request<const N: usize>(members: [(&str, Value); N]) -> Value {
    object(members.map(|(name, schema)| match name.ends_with('?') {
        true => (name, or_null(schema)),
        false => (name, schema),
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_a_choice_for_each_digit() {
        assert_eq!(decimal(7)["pattern"], "^(0|[1-6][0-9]{0}|7)$");
        assert_eq!(
            decimal(4096)["pattern"],
            "^(0|[1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]{1}|409[0-5][0-9]{0}|4096)$"
        );
    }

    #[test]
    fn null_stands_beside_every_schema() {
        assert_eq!(or_null(count()), json!({"type": ["integer", "null"], "minimum": 0}));
        assert_eq!(or_null(named("X")), any_of(&[named("X"), nothing()]));
        assert_eq!(or_null(words(&["a"])), any_of(&[words(&["a"]), nothing()]));
        let draft = request([("a", text()), ("b?", text())]);
        assert_eq!(draft["required"], json!(["a"]));
        assert_eq!(draft["properties"]["b"]["type"], json!(["string", "null"]));
    }
}
