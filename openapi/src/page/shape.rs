//! A JSON Schema in the words of a sentence: `text`, `integer 1–100, default 20`, `list of at most
//! 500 Receipt`. Patterns are left to the OpenAPI document.

use std::fmt::Write as _;

use serde_json::Value;

/// The schema in words; named ones are links to their heading on the page.
pub fn shape(schema: &Value) -> String {
    let mut text = if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        format!("[{name}](#{})", name.to_lowercase())
    } else if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        choices.iter().map(shape).collect::<Vec<_>>().join(" or ")
    } else {
        by_type(schema)
    };
    if let Some(default) = schema.get("default") {
        let _ = write!(text, ", default `{default}`");
    }
    text
}

fn by_type(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`");
    }
    match &schema["type"] {
        Value::Array(names) => {
            let one = |name: &Value| {
                let mut alone = schema.clone();
                alone["type"] = name.clone();
                by_type(&alone)
            };
            names.iter().map(one).collect::<Vec<_>>().join(" or ")
        }
        Value::String(name) => of_type(name, schema),
        _ => "any JSON".to_owned(),
    }
}

fn of_type(name: &str, schema: &Value) -> String {
    match name {
        "string" if schema["format"] == "date-time" => "RFC 3339 time".to_owned(),
        "string" => match schema["maxLength"].as_u64() {
            Some(most) => format!("text of at most {} characters", thousands(&most.to_string())),
            None => "text".to_owned(),
        },
        "integer" => integer(schema),
        "array" => {
            let most = schema["maxItems"].as_u64();
            let most = most.map(|most| format!("at most {} ", thousands(&most.to_string())));
            format!("list of {}{}", most.unwrap_or_default(), shape(&schema["items"]))
        }
        "object" if schema["properties"].is_object() => {
            let required = required(schema);
            let names = schema["properties"].as_object().into_iter().flatten();
            let names = names.map(|(name, _)| match required.contains(&name.as_str()) {
                true => format!("`{name}`"),
                false => format!("`{name}`?"),
            });
            format!("object of {}", names.collect::<Vec<_>>().join(", "))
        }
        "object" => match schema["additionalProperties"] {
            Value::Object(_) => {
                format!("object with values: {}", shape(&schema["additionalProperties"]))
            }
            _ => "object".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn integer(schema: &Value) -> String {
    let number = |word: &str| schema[word].as_i64().filter(|number| *number != i64::MAX);
    let text = |number: i64| thousands(&number.to_string());
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => format!("integer {}–{}", text(least), text(most)),
        (Some(least), None) => format!("integer from {}", text(least)),
        (None, Some(most)) => format!("integer up to {}", text(most)),
        (None, None) => "integer".to_owned(),
    }
}

fn required(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The members of an object as a table: the required ones first.
pub fn members(schema: &Value) -> String {
    let required = required(schema);
    let mut rows: Vec<(bool, String)> = Vec::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let is_optional = !required.contains(&name.as_str());
        let mark = if is_optional { "?" } else { "" };
        // An absent member and null mean the same.
        let value = if is_optional { shape(&without_null(member)) } else { shape(member) };
        let words = member["description"].as_str().unwrap_or_default();
        let row = format!("| `{name}`{mark} | {} | {} |\n", cell(&value), cell(words));
        rows.push((is_optional, row));
    }
    rows.sort_by_key(|(is_optional, _)| *is_optional);
    let rows: String = rows.into_iter().map(|(_, row)| row).collect();
    format!("| member | value | |\n|---|---|---|\n{rows}")
}

/// Text inside a table.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The schema without the choice `null`, unless that is all it allows.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(names) = schema["type"].as_array_mut() {
        names.retain(|name| name != "null");
    }
    if let Some(choices) = schema["anyOf"].as_array_mut() {
        choices.retain(|choice| choice["type"] != "null");
    }
    schema
}

/// An example: on one line where it fits.
pub fn code_block(example: &Value) -> String {
    const LINE_CHARS_MAX: usize = 100;
    let line = spaced(example);
    let text = if line.chars().count() <= LINE_CHARS_MAX { line } else { format!("{example:#}") };
    format!("```json\n{text}\n```\n")
}

/// JSON on one line, with a space behind every `:` and `,`.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), spaced(value))
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A decimal number with commas.
pub fn thousands(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema;

    #[test]
    fn schemas_become_words() {
        let limit = schema::with_default(schema::integer(1, 100), 20);
        assert_eq!(shape(&limit), "integer 1–100, default `20`");
        assert_eq!(shape(&schema::count()), "integer from 0");
        assert_eq!(shape(&schema::integer(1, i64::MAX)), "integer from 1");
        assert_eq!(shape(&schema::words(&["a", "b"])), "`\"a\"` or `\"b\"`");
        let list = schema::list_max(schema::named("Receipt"), 5000);
        assert_eq!(shape(&list), "list of at most 5,000 [Receipt](#receipt)");
        assert_eq!(shape(&schema::or_null(schema::text())), "text or null");
        assert_eq!(shape(&schema::map(schema::flag())), "object with values: boolean");
        assert_eq!(shape(&schema::anything()), "any JSON");
    }

    #[test]
    fn required_members_come_first_and_null_stands_for_absent() {
        let request = schema::request([("a?", schema::text()), ("b", schema::flag())]);
        assert_eq!(
            members(&request),
            "| member | value | |\n|---|---|---|\n| `b` | boolean |  |\n| `a`? | text |  |\n"
        );
    }

    #[test]
    fn short_examples_are_one_line() {
        assert_eq!(code_block(&json!({"a": [1, "b"]})), "```json\n{\"a\": [1, \"b\"]}\n```\n");
        assert!(code_block(&json!({"a": "x".repeat(100)})).contains("{\n  \"a\""));
    }
}
