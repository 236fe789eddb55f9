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
/// The tables, as they are written, and their fields.
const TABLES: [(&str, &[&str]); 3] =
    [("[[resource]]", &RESOURCE), ("[resource.sql]", &SQL), ("[resource.http]", &HTTP)];

/// Checks the names at the top of the file.
///
/// # Errors
/// The first unknown one.
pub(crate) fn check_file(file: &Fields<'_>) -> Result<(), Mistake> {
    let Some(unknown) = file.unknown(&FILE) else { return Ok(()) };
    let advice = match unknown.name.as_str() {
        name @ ("sql" | "http") => format!("write it as [resource.{name}]"),
        name => advice(name, "", &FILE)
            .unwrap_or_else(|| "only [[resource]] tables may be here".to_owned()),
    };
    Err(mistake(&unknown, "", &advice))
}

/// Checks the names in a `[[resource]]` and in the tables of its source.
///
/// # Errors
/// The first unknown one.
pub(crate) fn check_resource(resource: &Fields<'_>) -> Result<(), Mistake> {
    if let Some(unknown) = resource.unknown(&RESOURCE) {
        return Err(mistake_of_table(&unknown, "", &RESOURCE));
    }
    for (table, known) in [("sql", &SQL[..]), ("http", &HTTP[..])] {
        if let Some(unknown) = resource.unknown_in(table, known) {
            return Err(mistake_of_table(&unknown, &format!("{table}."), known));
        }
    }
    Ok(())
}

/// `path` is the table's name with a trailing dot, as in `http.url`.
fn mistake_of_table(unknown: &Unknown, path: &str, known: &[&str]) -> Mistake {
    let advice = advice(&unknown.name, path, known)
        .unwrap_or_else(|| format!("the fields are {}", known.join(", ")));
    mistake(unknown, path, &advice)
}

fn mistake(Unknown { name, line }: &Unknown, path: &str, advice: &str) -> Mistake {
    let full = format!("{path}{name}");
    Mistake { line: *line, text: format!("unknown field {full:?}: {advice}") }
}

/// What a name that is not in `known`, the fields of its table, most likely means: exactly this
/// name in another table, a similar one in its own table, a similar one in another table.
fn advice(name: &str, path: &str, known: &[&str]) -> Option<String> {
    if let Some(table) = table_of(name) {
        return Some(format!("write it directly below {table}"));
    }
    if let Some(similar) = similar(name, known) {
        return Some(format!("did you mean \"{path}{similar}\"?"));
    }
    TABLES.iter().find_map(|(table, known)| {
        let similar = similar(name, known)?;
        Some(format!("did you mean \"{similar}\", directly below {table}?"))
    })
}

/// The table that has a field of exactly this name. In TOML, a field below `[resource.sql]` belongs
/// to that table.
fn table_of(name: &str) -> Option<&'static str> {
    TABLES.iter().find(|(_, known)| known.contains(&name)).map(|(table, _)| *table)
}

/// The known name that this one most likely means: at most one typing error in three letters.
fn similar<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let errors_max = (name.chars().count() / 3).max(1);
    let distances = known.iter().map(|known| (strsim::osa_distance(name, known), *known));
    let nearest = distances.min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, _)| *distance <= errors_max).map(|(_, known)| known)
}
