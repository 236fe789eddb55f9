//! A TOML table whose fields are taken one by one, so that every mistake has a line and a name.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Converts places in the file to lines.
#[derive(Clone, Copy)]
pub struct FileText<'a>(pub &'a str);

impl<'a> FileText<'a> {
    pub fn mistake(self, span: &Range<usize>, text: impl Into<String>) -> Mistake {
        let before = self.0.get(..span.start).unwrap_or(self.0);
        Mistake { line: 1 + before.matches('\n').count(), text: text.into() }
    }

    /// Advice for a line whose text lacks quotes.
    fn unquoted(self, line: usize) -> Option<String> {
        let text = self.0.lines().nth(line.checked_sub(1)?)?;
        let (name, value) = text.split_once('=')?;
        let (name, value) = (name.trim(), value.split(" #").next().unwrap_or_default().trim());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_text = value.starts_with("{{") || !value.starts_with(['[', '{']);
        let is_bare = !value.is_empty() && !value.contains(['"', '\'']) && is_text;
        (is_bare && name.chars().all(is_name))
            .then(|| format!("a text must be in quotes: {name} = \"{value}\""))
    }

    /// # Errors
    /// The text is not TOML.
    pub fn parse(self) -> Result<Fields<'a>, Mistake> {
        let parsed = DeTable::parse(self.0).map_err(|error| {
            let end = self.0.len();
            let span = error.span().unwrap_or(end..end);
            let mistake = self.mistake(&span, error.message());
            match self.unquoted(mistake.line) {
                Some(text) => Mistake { text, ..mistake },
                None => mistake,
            }
        })?;
        Ok(Fields::new(self, String::new(), parsed.span(), parsed.into_inner()))
    }
}

/// The fields of one table.
pub struct Fields<'a> {
    file: FileText<'a>,
    /// The table's name with a trailing dot; empty for the file itself.
    path: String,
    pub span: Range<usize>,
    table: DeTable<'a>,
}

/// A field that its table does not have.
pub struct Unknown {
    pub name: String,
    pub line: usize,
}

/// A field's value and its place.
pub struct Field<T> {
    pub value: T,
    name: String,
    line_of: Mistake,
}

impl<T> Field<T> {
    /// A mistake in this field.
    pub fn mistake(&self, problem: impl fmt::Display) -> Mistake {
        Mistake { text: format!("`{}` {problem}", self.name), ..self.line_of.clone() }
    }

    /// Another value in the same place.
    pub fn with<U>(&self, value: U) -> Field<U> {
        Field { value, name: self.name.clone(), line_of: self.line_of.clone() }
    }

    pub fn map<U>(self, value: impl FnOnce(T) -> Result<U, String>) -> Result<Field<U>, Mistake> {
        let Self { value: old, name, line_of } = self;
        let kept = Field { value: (), name, line_of };
        let value = value(old).map_err(|problem| kept.mistake(problem))?;
        Ok(Field { value, name: kept.name, line_of: kept.line_of })
    }
}

impl<'a> Fields<'a> {
    fn new(file: FileText<'a>, path: String, span: Range<usize>, table: DeTable<'a>) -> Self {
        Self { file, path, span, table }
    }

    /// The first field in the file whose name is not one of `known`.
    pub fn unknown(&self, known: &[&str]) -> Option<Unknown> {
        unknown(self.file, &self.table, known)
    }

    /// As [`Fields::unknown`], in the table of this name, if there is one.
    pub fn unknown_in(&self, name: &str, known: &[&str]) -> Option<Unknown> {
        match self.table.get(name)?.get_ref() {
            DeValue::Table(table) => unknown(self.file, table, known),
            _ => None,
        }
    }

    /// The value of a string, without taking it.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.table.get(name)?.get_ref().as_str()
    }

    /// A mistake in this table as a whole.
    pub fn mistake(&self, text: impl Into<String>) -> Mistake {
        self.file.mistake(&self.span, text)
    }

    fn take(&mut self, name: &str) -> Option<Field<DeValue<'a>>> {
        let value = self.table.remove(name)?;
        let line_of = self.file.mistake(&value.span(), "");
        Some(Field { value: value.into_inner(), name: format!("{}{name}", self.path), line_of })
    }

    /// Takes a string without U+0000.
    ///
    /// # Errors
    /// The value has another type or contains U+0000.
    pub fn string(&mut self, name: &str) -> Result<Option<Field<String>>, Mistake> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let text = field.map(|value| match value {
            DeValue::String(text) if !text.contains('\0') => Ok(text.into_owned()),
            DeValue::String(_) => Err("must not hold U+0000".to_owned()),
            _ => Err("must be a text in quotes".to_owned()),
        });
        text.map(Some)
    }

    pub fn bool(&mut self, name: &str) -> Result<Option<bool>, Mistake> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let value = field.map(|value| {
            value.as_bool().ok_or("must be true or false, without quotes".to_owned())
        })?;
        Ok(Some(value.value))
    }

    pub fn integer(&mut self, name: &str) -> Result<Option<Field<u64>>, Mistake> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let number = field.map(|value| match &value {
            DeValue::Integer(number) if number.radix() == 10 => {
                number.as_str().parse().map_err(|_| "must be a positive number".to_owned())
            }
            _ => Err("must be a whole number, without quotes".to_owned()),
        });
        number.map(Some)
    }

    /// Takes a duration: `"250ms"`, `"30s"`, `"5m"`, `"1h"` or `"7d"`.
    ///
    /// # Errors
    /// The value is not a duration.
    pub fn duration(&mut self, name: &str) -> Result<Option<Field<Duration>>, Mistake> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let time = field.map(|value| {
            let time = value.as_str().and_then(duration);
            time.ok_or_else(|| {
                let times = r#""250ms", "30s", "5m", "1h" or "7d""#;
                format!("must be a whole number with its unit, in quotes: {times}")
            })
        });
        time.map(Some)
    }

    /// Takes an array of strings.
    ///
    /// # Errors
    /// The value is not an array of strings.
    pub fn strings(&mut self, name: &str) -> Result<Option<Field<Vec<String>>>, Mistake> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let strings = field.map(|value| {
            let DeValue::Array(items) = value else {
                return Err("must be an array of strings".to_owned());
            };
            let text = |item: Spanned<DeValue<'a>>| match item.into_inner() {
                DeValue::String(text) => Ok(text.into_owned()),
                _ => Err("must be an array of strings".to_owned()),
            };
            items.into_iter().map(text).collect()
        });
        strings.map(Some)
    }

    /// Takes a table.
    ///
    /// # Errors
    /// The value is not a table.
    pub fn table(&mut self, name: &str) -> Result<Option<Self>, Mistake> {
        let Some(value) = self.table.remove(name) else { return Ok(None) };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                let path = format!("{}{name}.", self.path);
                Ok(Some(Self::new(self.file, path, span, table)))
            }
            _ => Err(self.file.mistake(&span, format!("`{}{name}` must be a table", self.path))),
        }
    }

    /// Takes all fields: strings without U+0000 under names of the file's choice.
    ///
    /// # Errors
    /// A value has another type or contains U+0000.
    pub fn texts(mut self) -> Result<Vec<(String, Field<String>)>, Mistake> {
        let names: Vec<String> =
            self.table.iter().map(|(name, _)| name.get_ref().to_string()).collect();
        let mut texts = Vec::with_capacity(names.len());
        for name in names {
            if let Some(field) = self.string(&name)? {
                texts.push((name, field));
            }
        }
        Ok(texts)
    }

    /// Takes `[[name]]` tables.
    ///
    /// # Errors
    /// The value is not an array of tables.
    pub fn tables(&mut self, name: &str) -> Result<Vec<Self>, Mistake> {
        let Some(value) = self.table.remove(name) else { return Ok(Vec::new()) };
        let span = value.span();
        let wrong = |span: &Range<usize>| {
            self.file.mistake(span, format!("`{name}` must be written as [[{name}]]"))
        };
        let DeValue::Array(items) = value.into_inner() else { return Err(wrong(&span)) };
        let table = |item: Spanned<DeValue<'a>>| {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => Ok(Self::new(self.file, String::new(), span, table)),
                _ => Err(wrong(&span)),
            }
        };
        items.into_iter().map(table).collect()
    }
}

fn unknown(file: FileText<'_>, table: &DeTable<'_>, known: &[&str]) -> Option<Unknown> {
    let is_known = |name: &str| known.contains(&name);
    let names = table.iter().map(|(name, _)| name).filter(|name| !is_known(name.get_ref()));
    let first = names.min_by_key(|name| name.span().start)?;
    Some(Unknown { name: first.get_ref().to_string(), line: file.mistake(&first.span(), "").line })
}

/// Parses a number with its unit.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    Some(Duration::from_millis(ms))
}
