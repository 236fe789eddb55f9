//! A program's `/metrics` page against the documents, the dashboard and the alerts that name its
//! metrics.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::paths;

/// Lines with a value.
fn series(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Asserts that the page has every metric of `deploy/grafana.json` whose name begins with one of
/// `prefixes`, and every label by which an expression with such a metric groups. Returns the number
/// of metrics.
pub fn has_the_dashboards(page: &str, prefixes: &[&str]) -> usize {
    let path = paths::workspace().join("deploy/grafana.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut expressions = Vec::new();
    collect_expressions(&dashboard, &mut expressions);
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    for expression in expressions {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = expression.split(|c| !is_word(c));
        let own: Vec<&str> =
            words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(*prefix))).collect();
        if own.is_empty() {
            continue;
        }
        names.extend(own);
        let groups = expression.split(" by (").skip(1).filter_map(|rest| rest.split_once(')'));
        labels.extend(groups.flat_map(|(group, _)| group.split(", ")));
    }
    let series = series(page);
    for name in &names {
        let has =
            |line: &&str| line.strip_prefix(*name).is_some_and(|it| it.starts_with([' ', '{']));
        assert!(series.iter().any(has), "{name} is not exported");
    }
    // The scraper adds `instance`.
    for label in labels.into_iter().filter(|label| *label != "instance") {
        let labelled = [format!("{{{label}=\""), format!(",{label}=\"")];
        assert!(labelled.iter().any(|it| page.contains(it)), "no metric has the label {label}");
    }
    names.len()
}

fn collect_expressions<'a>(value: &'a Value, expressions: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|it| collect_expressions(it, expressions)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "expr" || name == "query" => {
                        expressions.push(text);
                    }
                    _ => collect_expressions(field, expressions),
                }
            }
        }
        _ => {}
    }
}

/// Asserts that the page has every metric in README.md and docs/ whose name begins with `prefix`,
/// with the labels that stand behind it. Returns the number of places.
pub fn has_the_documented(page: &str, prefix: &str) -> usize {
    let root = paths::workspace();
    let mut documents = vec![root.join("README.md")];
    documents.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|e| e.unwrap().path()));
    let documents = documents.iter().filter(|path| path.extension() == Some("md".as_ref()));
    documents.map(|document| has_those_of(page, prefix, document)).sum()
}

/// Asserts that the page has every metric of `deploy/alerts.yml` whose name begins with `prefix`, with
/// the labels that stand behind it. Returns the number of places.
pub fn has_the_alerts(page: &str, prefix: &str) -> usize {
    has_those_of(page, prefix, &paths::workspace().join("deploy/alerts.yml"))
}

fn has_those_of(page: &str, prefix: &str, document: &Path) -> usize {
    let series = series(page);
    let text = std::fs::read_to_string(document).unwrap();
    let mut found = 0;
    for (at, start) in text.match_indices(prefix) {
        let rest = &text[at + start.len()..];
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        let (name, rest) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        let name = format!("{prefix}{name}");
        // A prefix, as in `bellwire_hub_…`, or the pattern of a `grep`.
        if name.ends_with('_') {
            continue;
        }
        found += 1;
        for label in selectors(rest) {
            let has = |line: &&&str| {
                line.strip_prefix(&*name).is_some_and(|rest| {
                    let is_name = rest.starts_with([' ', '{']) || rest.starts_with("_bucket{");
                    is_name && rest.contains(&label)
                })
            };
            assert!(series.iter().any(|line| has(&line)), "{}: {name} {label}", document.display());
        }
    }
    found
}

/// The label selectors after a name, as on the page; each alternative of `=~` separately, and a
/// label without a value as it begins. One empty string if there are none.
fn selectors(rest: &str) -> Vec<String> {
    let Some(inside) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return vec![String::new()];
    };
    let parts = inside.0.split(',').flat_map(|part| {
        let Some((label, values)) = part.split_once('=') else {
            return vec![format!("{part}=\"")];
        };
        let values = values.trim_start_matches('~').trim_matches('"').replace("\\|", "|");
        let of_label = |value: &str| format!("{label}=\"{value}\"");
        values.split('|').map(of_label).collect::<Vec<_>>()
    });
    parts.collect()
}
