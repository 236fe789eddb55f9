//! JSON from outside: objects are parsed member by member, so that an error can name the member;
//! raw values keep their bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::UserId;
use crate::error::{Code, Error};
use crate::notification::user_id_from_json;

mod number;
mod shape;

pub use number::{integer, integer_text};
pub use shape::{Shape, inspect, object_text, value_text};

/// A JSON object whose members are taken one by one; those left at the end are unknown.
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The object's path within the body, with a trailing dot; empty for the body itself.
    path: String,
}

impl<'a> Object<'a> {
    /// Parses `body` as one object.
    ///
    /// # Errors
    /// `bad_json` for any other body and for a duplicate member.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Error::new(Code::BadJson, "the body is not UTF-8"))?;
        let Members(members) = serde_json::from_str(text).map_err(|error| bad_json(&error))?;
        Ok(Self { members, path: String::new() })
    }

    /// Parses a member's value as an object; its errors name `path`.
    ///
    /// # Errors
    /// `invalid_field` if it is not an object.
    pub fn parse_nested(value: &'a RawValue, path: &str) -> Result<Self, Error> {
        let Members(members) = serde_json::from_str(value.get()).map_err(|error| {
            Error::field(Code::InvalidField, path, format!("`{path}` must be an object: {error}"))
        })?;
        Ok(Self { members, path: format!("{path}.") })
    }

    /// Takes a member. `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.members.iter().position(|(member, _)| member == name)?;
        let (_, value) = self.members.swap_remove(at);
        (value.get() != "null").then_some(value)
    }

    /// Takes a required member.
    ///
    /// # Errors
    /// `missing_field`.
    pub fn require(&mut self, name: &str) -> Result<&'a RawValue, Error> {
        self.take(name).ok_or_else(|| self.missing(name))
    }

    /// Takes an optional string.
    ///
    /// # Errors
    /// `invalid_field` if it is not a string or contains U+0000, which Postgres cannot store.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text: String = serde_json::from_str(value.get())
            .map_err(|_| self.invalid(name, "must be a string"))?;
        if text.contains('\0') {
            return Err(self.invalid(name, "contains U+0000"));
        }
        Ok(Some(text))
    }

    /// Takes an optional integer: a number with an integral value, as in JSON Schema.
    ///
    /// # Errors
    /// `invalid_field` if it is not an integer; `limit_exceeded` outside `range`.
    pub fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number =
            integer(value.get()).ok_or_else(|| self.invalid(name, "must be an integer"))?;
        if !range.contains(&number) {
            let problem = format!("must be from {} to {}", range.start(), range.end());
            return Err(self.beyond(name, &problem));
        }
        Ok(Some(number))
    }

    /// Takes an optional boolean.
    ///
    /// # Errors
    /// `invalid_field` if it is something else.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.take(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    /// The members that were not taken, for an object with names of the caller's choice. A member
    /// that is `null` counts as absent.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        let members = self.members.iter().map(|(name, value)| (name.as_ref(), *value));
        members.filter(|(_, value)| value.get() != "null")
    }

    /// Takes an optional array.
    ///
    /// # Errors
    /// `invalid_field` if it is not an array; `limit_exceeded` beyond `items_max`.
    pub fn array(
        &mut self,
        name: &str,
        items_max: usize,
    ) -> Result<Option<Vec<&'a RawValue>>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let items: Vec<&RawValue> = serde_json::from_str(value.get())
            .map_err(|_| self.invalid(name, "must be an array"))?;
        if items.len() > items_max {
            let problem = format!("has {} items, at most {items_max} are allowed", items.len());
            return Err(self.beyond(name, &problem));
        }
        Ok(Some(items))
    }

    /// Takes a required array.
    ///
    /// # Errors
    /// As [`Object::array`]; `missing_field`.
    pub fn require_array(
        &mut self,
        name: &str,
        items_max: usize,
    ) -> Result<Vec<&'a RawValue>, Error> {
        self.array(name, items_max)?.ok_or_else(|| self.missing(name))
    }

    /// Takes a required user id; an integer counts as its decimal text.
    ///
    /// # Errors
    /// `missing_field`, `invalid_field` or `invalid_id`.
    pub fn user_id(&mut self, name: &str) -> Result<UserId, Error> {
        let value = self.require(name)?;
        let parsed = user_id_from_json(value.get())
            .ok_or_else(|| self.invalid(name, "must be a string or an integer"))?;
        parsed.map_err(|error| Error::field(error.code(), &self.name_of(name), error.detail()))
    }

    /// Takes a required array of user ids, in its order.
    ///
    /// # Errors
    /// As [`Object::require_array`] and [`Object::user_id`], naming the item.
    pub fn user_ids(&mut self, name: &str, items_max: usize) -> Result<Vec<UserId>, Error> {
        let items = self.require_array(name, items_max)?;
        let ids = items.into_iter().enumerate().map(|(at, item)| {
            let name = format!("{name}[{at}]");
            let parsed = user_id_from_json(item.get())
                .ok_or_else(|| self.invalid(&name, "must be a string or an integer"))?;
            parsed.map_err(|error| Error::field(error.code(), &self.name_of(&name), error.detail()))
        });
        ids.collect()
    }

    /// Ends parsing.
    ///
    /// # Errors
    /// `unknown_field`, naming the first member that was not taken.
    pub fn finish(self) -> Result<(), Error> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = self.name_of(name);
                Err(Error::field(
                    Code::UnknownField,
                    &name,
                    format!("`{}` is not a field of this request", name.escape_debug()),
                ))
            }
        }
    }

    /// A `missing_field` error about a member of this object.
    pub fn missing(&self, name: &str) -> Error {
        let name = self.name_of(name);
        Error::field(Code::MissingField, &name, format!("`{name}` is required"))
    }

    /// An `invalid_field` error about a member of this object.
    pub fn invalid(&self, name: &str, problem: &str) -> Error {
        let name = self.name_of(name);
        Error::field(Code::InvalidField, &name, format!("`{name}` {problem}"))
    }

    /// A `limit_exceeded` error about a member of this object.
    pub fn beyond(&self, name: &str, problem: &str) -> Error {
        let name = self.name_of(name);
        Error::field(Code::LimitExceeded, &name, format!("`{name}` {problem}"))
    }

    fn name_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
}

fn bad_json(error: &serde_json::Error) -> Error {
    Error::new(Code::BadJson, format!("the body must be a JSON object: {error}"))
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        let problem = format!("the member {name:?} occurs twice");
                        return Err(serde::de::Error::custom(problem));
                    }
                    if members.len() == MEMBERS_MAX {
                        return Err(serde::de::Error::custom("the object has too many members"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// More than any request has; the limit keeps the search for duplicates from becoming quadratic.
const MEMBERS_MAX: usize = 64;

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    // Writing a string cannot fail; an empty string would be the least harmful answer.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests;
