//! Texts in several languages with `{{fields}}`, as `PUT /campaigns/{id}/push` takes them: the
//! component checks them, the worker fills them.
//!
//! A text is a string, or `{locale: string}` with a `default`. A device's locale selects the exact
//! one, else a shorter one (`zh-Hant-TW`, `zh-Hant`, `zh`), else the default. `{{name}}` is replaced
//! by the user's field of that name; what a field contains is never read as a template. Errors name
//! the member: `template.title.de`.

mod link;
mod localised;
mod text;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::limits::{
    BODY_BYTES_MAX, DATA_DEPTH_MAX, TEMPLATE_DATA_BYTES_MAX, TEMPLATE_LINK_BYTES_MAX,
    TITLE_CHARS_MAX,
};
use link::Link;
use localised::Localised;
use text::Text;

pub use text::is_field_name;

/// A user's fields: texts, numbers and booleans.
pub type Fields = Map<String, Value>;

/// An invalid template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct TemplateError {
    /// The code for an answer.
    pub code: Code,
    pub field: String,
    pub problem: String,
}

impl From<TemplateError> for Error {
    fn from(TemplateError { code, field, problem }: TemplateError) -> Self {
        Error::field(code, &field, format!("`{}` {problem}", field.escape_debug()))
    }
}

/// What is wrong with one text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem(Code, String);

fn invalid(problem: impl Into<String>) -> Problem {
    Problem(Code::InvalidField, problem.into())
}

fn too_long(problem: impl Into<String>) -> Problem {
    Problem(Code::LimitExceeded, problem.into())
}

/// A user's fields do not fill the template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    #[error("{field}: the user has no field {name}")]
    Missing { field: String, name: String },
    #[error("{field}: the user's field {name} is not a text, a number or a boolean")]
    NotText { field: String, name: String },
    #[error("{field}: longer than {TEMPLATE_LINK_BYTES_MAX} bytes with the user's fields")]
    Long { field: String },
}

/// A campaign's content.
#[derive(Clone, Debug)]
pub struct Template {
    title: Localised<Text>,
    body: Option<Localised<Text>>,
    link: Option<Localised<Link>>,
    /// Strings in it are filled; names and everything else stay.
    data: Option<Value>,
}

impl Template {
    /// Parses JSON text, as [`Template::parse`].
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn parse_json(json: &RawValue, field: &str) -> Result<Self, TemplateError> {
        let value = serde_json::from_str(json.get())
            .map_err(|problem| error(field, invalid(format!("is not valid: {problem}"))))?;
        Self::parse(&value, field)
    }

    /// Reads `{title, body?, data?, link?}`; `field` is the template's own name in errors.
    ///
    /// # Errors
    /// A member is missing, unknown, of the wrong type, too long, or not a template.
    pub fn parse(value: &Value, field: &str) -> Result<Self, TemplateError> {
        let members =
            value.as_object().ok_or_else(|| error(field, invalid("must be an object")))?;
        if let Some(name) =
            members.keys().find(|name| !["title", "body", "data", "link"].contains(&name.as_str()))
        {
            let problem = Problem(Code::UnknownField, "is not a field of a template".to_owned());
            return Err(error(&format!("{field}.{}", shown(name)), problem));
        }
        let title = members.get("title").filter(|title| !title.is_null());
        let title = title.ok_or_else(|| error(&format!("{field}.title"), missing()))?;
        let title = Localised::parse(title, &format!("{field}.title"), |text| {
            let chars = text.chars().count();
            if text.is_empty() {
                return Err(invalid("must not be empty"));
            }
            if chars > TITLE_CHARS_MAX {
                let problem = format!("has {chars} characters, at most {TITLE_CHARS_MAX}");
                return Err(too_long(format!("{problem} are allowed")));
            }
            Text::parse(text)
        })?;
        let body = optional(members, "body", field, |text| {
            if text.len() > BODY_BYTES_MAX {
                let problem = format!("has {} bytes, at most {BODY_BYTES_MAX}", text.len());
                return Err(too_long(format!("{problem} are allowed")));
            }
            Text::parse(text)
        })?;
        let link = optional(members, "link", field, Link::parse)?;
        let data = members.get("data").filter(|data| !data.is_null()).cloned();
        if let Some(data) = &data {
            check_data(data).map_err(|problem| error(&format!("{field}.data"), problem))?;
        }
        Ok(Self { title, body, link, data })
    }

    /// The names of all fields, so that a caller can say which ones users need.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        self.title.each(|text| names.extend(text.names().map(str::to_owned)));
        if let Some(body) = &self.body {
            body.each(|text| names.extend(text.names().map(str::to_owned)));
        }
        if let Some(link) = &self.link {
            link.each(|link| names.extend(link.names().map(str::to_owned)));
        }
        if let Some(data) = &self.data {
            data_names(data, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The message for one device. Title and body are cut at their limits: a field may be long.
    ///
    /// # Errors
    /// A field is missing or of the wrong type, or the link becomes too long.
    pub fn fill(&self, locale: Option<&str>, fields: &Fields) -> Result<Filled, FillError> {
        let mut title = self.title.select(locale).fill(fields, "title")?;
        if let Some((end, _)) = title.char_indices().nth(TITLE_CHARS_MAX) {
            title.truncate(end);
        }
        let body = match &self.body {
            Some(body) => Some(body.select(locale).fill(fields, "body")?),
            None => None,
        };
        let body = body.map(|mut body| {
            body.truncate(body.floor_char_boundary(BODY_BYTES_MAX));
            body
        });
        let link = match &self.link {
            Some(link) => Some(link.select(locale).fill(fields, "link")?),
            None => None,
        };
        let data = match &self.data {
            Some(data) => serde_json::value::to_raw_value(&fill_data(data, fields)?).ok(),
            None => None,
        };
        Ok(Filled { title, body, link, data })
    }
}

/// A template with one user's fields.
#[derive(Clone, Debug)]
pub struct Filled {
    pub title: String,
    pub body: Option<String>,
    pub link: Option<String>,
    pub data: Option<Box<RawValue>>,
}

fn optional<T>(
    members: &Map<String, Value>,
    name: &str,
    field: &str,
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Option<Localised<T>>, TemplateError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Localised::parse(value, &format!("{field}.{name}"), parse).map(Some),
    }
}

fn error(field: &str, Problem(code, problem): Problem) -> TemplateError {
    TemplateError { code, field: field.to_owned(), problem }
}

fn missing() -> Problem {
    Problem(Code::MissingField, "is required".to_owned())
}

/// A name that came from outside, short enough for an error.
fn shown(name: &str) -> &str {
    name.get(..name.floor_char_boundary(64)).unwrap_or_default()
}

fn check_data(data: &Value) -> Result<(), Problem> {
    let bytes = data.to_string().len();
    if bytes > TEMPLATE_DATA_BYTES_MAX {
        let problem = format!("has {bytes} bytes, at most {TEMPLATE_DATA_BYTES_MAX}");
        return Err(too_long(format!("{problem} are allowed")));
    }
    check_texts(data, DATA_DEPTH_MAX)
}

fn check_texts(data: &Value, depth_left: usize) -> Result<(), Problem> {
    let deeper = || {
        let problem = || too_long(format!("is nested deeper than {DATA_DEPTH_MAX} levels"));
        depth_left.checked_sub(1).ok_or_else(problem)
    };
    match data {
        Value::String(text) => Text::parse(text).map(drop),
        Value::Array(values) => {
            let left = deeper()?;
            values.iter().try_for_each(|value| check_texts(value, left))
        }
        Value::Object(members) => {
            let left = deeper()?;
            members.values().try_for_each(|value| check_texts(value, left))
        }
        _ => Ok(()),
    }
}

/// Its depth was checked when the template was read.
fn data_names(data: &Value, names: &mut Vec<String>) {
    match data {
        Value::String(text) => {
            if let Ok(text) = Text::parse(text) {
                names.extend(text.names().map(str::to_owned));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| data_names(value, names)),
        Value::Object(members) => members.values().for_each(|value| data_names(value, names)),
        _ => {}
    }
}

fn fill_data(data: &Value, fields: &Fields) -> Result<Value, FillError> {
    Ok(match data {
        Value::String(text) => match Text::parse(text) {
            Ok(parsed) => Value::String(parsed.fill(fields, "data")?),
            Err(_) => data.clone(),
        },
        Value::Array(values) => {
            Value::Array(values.iter().map(|v| fill_data(v, fields)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let filled = members.iter().map(|(k, v)| Ok((k.clone(), fill_data(v, fields)?)));
            Value::Object(filled.collect::<Result<_, FillError>>()?)
        }
        _ => data.clone(),
    })
}
