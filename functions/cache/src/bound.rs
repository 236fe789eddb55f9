//! A statement with bound parameters: never interpolated, and of the types that the resource
//! declares.

use resources::Resource;
use resources::param::ParamType;
use resources::template::{Piece, Template};
use runtime::ports::sql::{Backend, Value};

/// A statement and its values.
#[derive(Debug)]
pub struct Bound {
    pub text: String,
    pub values: Vec<Value>,
    /// The name of each value's parameter.
    names: Vec<String>,
}

impl Bound {
    /// Numbers the placeholders in the order of first use. For Postgres each has a cast from its
    /// declared type: it would infer another type from the context and accept no other.
    pub fn new(
        statement: &Template,
        backend: Backend,
        resource: &Resource,
        params: &[String],
    ) -> Self {
        let (mut text, mut used) = (String::new(), Vec::new());
        for piece in &statement.0 {
            let param = match piece {
                Piece::Text(plain) => {
                    text.push_str(plain);
                    continue;
                }
                Piece::Param(param) => param,
            };
            let at = used.iter().position(|known| known == param).unwrap_or_else(|| {
                used.push(*param);
                used.len() - 1
            });
            let place = at + 1;
            text.push_str(&match (backend, type_of(resource, *param)) {
                (Backend::Sqlite, _) => format!("?{place}"),
                (Backend::Postgres, ParamType::Text) => format!("${place}"),
                (Backend::Postgres, ParamType::Int) => format!("${place}::bigint"),
                (Backend::Postgres, ParamType::Uuid) => format!("${place}::text::uuid"),
            });
        }
        let value = |at: &usize| match (params.get(*at), type_of(resource, *at)) {
            (None, _) => Value::Null,
            // It was validated before.
            (Some(text), ParamType::Int) => text.parse().map_or(Value::Null, Value::Int),
            (Some(text), ParamType::Text | ParamType::Uuid) => Value::text(text),
        };
        let name = |at: &usize| resource.params.get(*at).cloned().unwrap_or_default();
        Self {
            text,
            values: used.iter().map(value).collect(),
            names: used.iter().map(name).collect(),
        }
    }

    /// The database's error text, with advice if a parameter has the wrong type.
    pub fn explained(&self, error: &str) -> String {
        // The Postgres client's error about the nth value: "ToSql(n)", "WrongType { postgres: Int4,
        // …".
        let between = |start: &str, end: char| {
            let (_, rest) = error.split_once(start)?;
            rest.split_once(end).map(|(word, _)| word)
        };
        let at = between("ToSql(", ')').and_then(|digits| digits.parse::<usize>().ok());
        match at.and_then(|at| self.names.get(at)) {
            None => error.to_owned(),
            Some(name) => {
                let expected = between("postgres: ", ',').unwrap_or("another type").to_lowercase();
                format!(
                    "Postgres expects {expected}, but {{{name}}} is text: declare the parameter \
                     with a type in `path`, such as {{{name}:int}} or {{{name}:uuid}}, or \
                     cast it from text, such as {{{name}}}::text::{expected}"
                )
            }
        }
    }
}

fn type_of(resource: &Resource, param: usize) -> ParamType {
    resource.types.get(param).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use resources::Resources;
    use resources::sources::Source;

    fn bound(path: &str, query: &str, backend: Backend, params: &[&str]) -> Bound {
        let text = format!(
            "[[resource]]\npath = {path:?}\nfresh = \"1s\"\nsql = {{ query = {query:?} }}\n"
        );
        let resource = Resources::parse(&text).unwrap().0.remove(0);
        let Source::Sql { postgres, .. } = &resource.source else { panic!("SQL") };
        let params: Vec<String> = params.iter().map(|param| (*param).to_owned()).collect();
        Bound::new(postgres, backend, &resource, &params)
    }

    #[test]
    fn parameters_are_bound_in_the_order_of_their_first_use() {
        let query = "SELECT '{}' WHERE x = {b} AND y = {a} AND z = {b}";
        let params = ["1; DROP TABLE x", "2"];
        let bound = bound("p/{a}/{b}", query, Backend::Postgres, &params);
        assert_eq!(bound.text, "SELECT '{}' WHERE x = $1 AND y = $2 AND z = $1");
        assert_eq!(bound.values, [Value::text("2"), Value::text("1; DROP TABLE x")]);
    }

    #[test]
    fn a_declared_type_is_bound_and_cast() {
        let (path, query) = ("p/{a:int}/{b:uuid}/{c:text}", "SELECT {a}, {b}, {c}, {a}");
        let params = ["-7", "0192f0c1-2b6e-7cc0-8000-00000000abcd", "7"];
        let expected = [Value::Int(-7), Value::text(params[1]), Value::text("7")];
        let told = bound(path, query, Backend::Postgres, &params);
        assert_eq!(told.text, "SELECT $1::bigint, $2::text::uuid, $3, $1::bigint");
        assert_eq!(told.values, expected);
        let plain = bound(path, query, Backend::Sqlite, &params);
        assert_eq!(
            (plain.text.as_str(), plain.values),
            ("SELECT ?1, ?2, ?3, ?1", expected.to_vec())
        );
    }

    #[test]
    fn a_parameter_of_the_wrong_type_is_named() {
        let bound = bound("p/{a}/{b}", "SELECT {b}", Backend::Postgres, &["1", "2"]);
        let cause = "WrongType { postgres: Int4, rust: \"alloc::string::String\" }";
        let error = format!("Error {{ kind: ToSql(0), cause: Some({cause}) }}");
        let explained = bound.explained(&error);
        assert!(explained.starts_with("Postgres expects int4, but {b} is text"));
        assert!(explained.contains("{b:int}") && explained.contains("{b}::text::int4"));
        for other in ["42P01: relation \"x\" does not exist", "ToSql(1)", "ToSql(", ""] {
            assert_eq!(bound.explained(other), other);
        }
    }
}
