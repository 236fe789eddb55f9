//! A text with `{{fields}}`.

use serde_json::Value;

use super::{Fields, FillError, Problem, invalid};
use crate::limits::TEMPLATE_NAME_BYTES_MAX;

/// Whether a field may have this name.
pub fn is_field_name(name: &str) -> bool {
    (1..=TEMPLATE_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Field(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) parts: Vec<Part>,
}

impl Text {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if text.contains('\0') {
            return Err(invalid("contains U+0000"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").ok_or_else(|| invalid("has {{ without }}"))?;
            let name = name.trim_matches(' ');
            if !is_field_name(name) {
                return Err(invalid(format!(
                    "has an invalid name in {{{{…}}}}: 1 to {TEMPLATE_NAME_BYTES_MAX} of A-Z a-z \
                     0-9 _ . -"
                )));
            }
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Field(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    pub(super) fn fill(&self, fields: &Fields, field: &str) -> Result<String, FillError> {
        self.fill_with(fields, field, |value, out| out.push_str(value))
    }

    /// Fills with `push`, which may write a value in another form.
    pub(super) fn fill_with(
        &self,
        fields: &Fields,
        field: &str,
        push: impl Fn(&str, &mut String),
    ) -> Result<String, FillError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field(name) => {
                    let (field, name) = (field.to_owned(), name.to_owned());
                    match fields.get(&name) {
                        Some(Value::String(text)) => push(text, &mut out),
                        Some(Value::Number(number)) => push(&number.to_string(), &mut out),
                        Some(Value::Bool(value)) => push(&value.to_string(), &mut out),
                        None | Some(Value::Null) => return Err(FillError::Missing { field, name }),
                        Some(_) => return Err(FillError::NotText { field, name }),
                    }
                }
            }
        }
        Ok(out)
    }
}
