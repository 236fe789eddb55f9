//! The names of the fields in resources.toml, and advice for one that is misspelt or in the wrong
//! table. Names are checked before values: a misspelt field is also a missing one.

use crate::toml_table::{Fields, Mistake, Unknown};

const FILE: [&str; 1] = ["resource"];
/// The fields of `[[resource]]`.
pub(crate) const RESOURCE: [&str; 15] = [
    "path",
    "key",
    "tags",
    "access",
    "fresh",
    "stale",
    "error",
    "absent",
    "cool_down",
    "timeout",
    "soft_timeout",
    "local",
    "bytes_max",
    "sql",
    "http",
];
/// The fields of `[resource.sql]`.
pub(crate) const SQL: [&str; 3] = ["query", "sqlite", "postgres"];
/// The fields of `[resource.http]`.
pub(crate) const HTTP: [&str; 3] = ["url", "honour_cache_control", "headers"];

/// Checks the names at the top of the file.
///
/// # Errors
/// The first unknown one.
pub(crate) fn check_file(file: &Fields<'_>) -> Result<(), Mistake> {
    file.unknown(&FILE).map_or(Ok(()), |unknown| Err(mistake(&unknown, "", &FILE)))
}

/// Checks the names in a `[[resource]]` and in the tables of its source.
///
/// # Errors
/// The first unknown one.
pub(crate) fn check_resource(resource: &Fields<'_>) -> Result<(), Mistake> {
    if let Some(unknown) = resource.unknown(&RESOURCE) {
        return Err(mistake(&unknown, "", &RESOURCE));
    }
    for (table, known) in [("sql", &SQL[..]), ("http", &HTTP[..])] {
        if let Some(unknown) = resource.unknown_in(table, known) {
            return Err(mistake(&unknown, &format!("{table}."), known));
        }
    }
    Ok(())
}

/// `path` is the table's name with a trailing dot, as in `http.url`.
fn mistake(Unknown { name, line }: &Unknown, path: &str, known: &[&str]) -> Mistake {
    let advice = match (table_of(name), similar(name, known)) {
        (Some(table), _) => format!("write it directly below {table}"),
        (None, Some(similar)) => format!("did you mean \"{path}{similar}\"?"),
        (None, None) => format!("the fields are {}", known.join(", ")),
    };
    let full = format!("{path}{name}");
    Mistake { line: *line, text: format!("unknown field {full:?}: {advice}") }
}

/// The table that has a field of exactly this name. In TOML, a field below `[resource.sql]` belongs
/// to that table.
fn table_of(name: &str) -> Option<&'static str> {
    if RESOURCE.contains(&name) {
        Some("[[resource]]")
    } else if SQL.contains(&name) {
        Some("[resource.sql]")
    } else if HTTP.contains(&name) {
        Some("[resource.http]")
    } else {
        None
    }
}

/// The known name that this one most likely means: at most one typing error in three letters.
fn similar<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let errors_max = (name.chars().count() / 3).max(1);
    let distances = known.iter().map(|known| (strsim::osa_distance(name, known), *known));
    let nearest = distances.min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, _)| *distance <= errors_max).map(|(_, known)| known)
}
