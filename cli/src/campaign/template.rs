//! A push of a campaign as TOML: the members of `PUT /campaigns/{id}/push`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Number, Value};
use shared::campaign_push::Options;
use shared::template::Template;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::limits::TOML_BYTES_MAX;

/// A push to start.
#[derive(Debug)]
pub struct Push {
    /// The body of the request.
    pub body: Vec<u8>,
    /// The users' fields that its template needs.
    pub fields: Vec<String>,
}

/// Reads a push, checked as the functions check it: a template that is refused after a million users
/// were added would be late.
///
/// # Errors
/// The file cannot be read, is no TOML, or no push.
pub fn read(path: &Path) -> Outcome<Push> {
    let text = files::text(path, TOML_BYTES_MAX, "the template")?;
    let wrong = |problem: &str| Failure::usage(format!("{}: {problem}", path.display()));
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| wrong(error.to_string().trim_end()))?;
    let body = serde_json::to_vec(&to_json(toml::Value::Table(table)))
        .map_err(|error| wrong(&error.to_string()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    match Options::parse(&body, i64::try_from(now).unwrap_or(i64::MAX)) {
        Ok(options) => Ok(Push { body, fields: fields_of(&options) }),
        Err(error) => {
            let failure = wrong(error.detail());
            Err(Failure { field: error.field_name().map(str::to_owned), ..failure })
        }
    }
}

fn fields_of(options: &Options) -> Vec<String> {
    let template = serde_json::from_str(&options.template).ok();
    let template = template.and_then(|value: Value| Template::parse(&value, "template").ok());
    template.map(|template| template.fields()).unwrap_or_default()
}

/// TOML as JSON; times become texts.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(name, value)| (name, to_json(value)));
            Value::Object(members.collect::<Map<String, Value>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Outcome<Value> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("template.toml");
        std::fs::write(&path, text).unwrap();
        read(&path).map(|push| serde_json::from_slice(&push.body).unwrap())
    }

    #[test]
    fn a_template_is_the_body_of_the_request() {
        let body = of(r#"
when = "offline"
rate = 500
[template]
title = "Hello {{name}}"
link = "https://example.com/?u={{name}}"
[template.body]
default = "Sale"
de = "Schlussverkauf"
[template.data]
nested = { list = [1, 2.5, true] }
"#);
        assert_eq!(
            body.unwrap(),
            serde_json::json!({
                "when": "offline", "rate": 500, "template": {
                    "title": "Hello {{name}}", "link": "https://example.com/?u={{name}}",
                    "body": {"default": "Sale", "de": "Schlussverkauf"},
                    "data": {"nested": {"list": [1, 2.5, true]}},
                },
            })
        );
    }

    #[test]
    fn what_is_wrong_is_named_before_a_user_is_added() {
        let detail = |text| of(text).unwrap_err().detail;
        assert!(detail("when = 1\n[template]\ntitle = \"x\"").contains("`when`"));
        assert!(detail("rate = 1").contains("`template`"));
        assert!(detail("rat = 1\n[template]\ntitle = \"x\"").contains("rat"));
        assert!(detail("title =").contains("template.toml"));
    }
}
