//! `{{ name }}` templates and the rules for variable names.
//!
//! Knows no values: the lookup is an argument.

use std::fmt;

/// An invalid template, an invalid name, or a variable without a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    InvalidName(String),
    InvalidTemplate(String),
    Undefined(String),
    Provider(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName(reason) => write!(f, "invalid variable name: {reason}"),
            Self::InvalidTemplate(reason) => write!(f, "invalid variable template: {reason}"),
            Self::Undefined(reason) => write!(f, "undefined variable: {reason}"),
            Self::Provider(reason) => write!(f, "provider error: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// A parsed string in which `{{ name }}` stands for a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    Variable(String),
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("{{") {
                let Some((name, after)) = after.split_once("}}") else {
                    return Err(Error::InvalidTemplate("unmatched '{{' in template".into()));
                };
                parts.push(Part::Variable(name.trim().to_owned()));
                rest = after;
            } else {
                let end = rest.find("{{").unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                parts.push(Part::Literal(literal.to_owned()));
                rest = after;
            }
        }
        Ok(Self(parts))
    }

    pub fn is_literal(&self) -> bool {
        self.variables().next().is_none()
    }

    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Inserts the values, or fails with the error of the first failed `lookup`.
    pub fn resolve(&self, lookup: impl Fn(&str) -> Result<String, Error>) -> Result<String, Error> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(&lookup(name)?),
            }
        }
        Ok(text)
    }
}

/// Spin's rules: a valid name can become an environment variable and a file name.
pub fn check_name(name: &str) -> Result<(), Error> {
    let invalid = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_');
    let reason = if name.is_empty() {
        "must not be empty".to_owned()
    } else if let Some(invalid) = name.chars().find(invalid) {
        format!(
            "invalid character {invalid:?}. Variable names may contain only lower-case letters, \
             numbers, and underscores."
        )
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must start with a lowercase ASCII letter".to_owned()
    } else if name.ends_with('_') {
        "must end with a lowercase ASCII letter or digit".to_owned()
    } else if name.contains("__") {
        "must not contain multiple consecutive underscores".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::InvalidName(format!("{name:?}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(template: &str) -> Result<String, Error> {
        Template::parse(template)?.resolve(|name| match name {
            "host" => Ok("db".into()),
            other => Err(Error::InvalidName(other.into())),
        })
    }

    #[test]
    fn variables_are_replaced_everywhere() {
        assert_eq!(resolve("").unwrap(), "");
        assert_eq!(resolve("plain }} text").unwrap(), "plain }} text");
        assert_eq!(resolve("redis://{{ host }}:6379").unwrap(), "redis://db:6379");
        assert_eq!(resolve("{{host}}{{ host }}").unwrap(), "dbdb");
    }

    #[test]
    fn unmatched_braces_and_unknown_names_are_errors() {
        assert!(matches!(resolve("{{ host"), Err(Error::InvalidTemplate(_))));
        assert_eq!(resolve("{{ nobody }}"), Err(Error::InvalidName("nobody".into())));
    }

    #[test]
    fn a_template_without_variables_is_literal() {
        assert!(Template::parse("a {b} c").unwrap().is_literal());
        assert!(!Template::parse("a {{b}} c").unwrap().is_literal());
    }

    #[test]
    fn names_follow_spins_rules() {
        for good in ["a", "redis_url", "a1", "a_1"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "1a", "_a", "a_", "a__b", "a-b", "ä"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
