//! The functions' variables, from `spin.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use crate::{cell, joined, settings};

/// The table of all variables.
pub fn functions(manifest: &str) -> Result<String, String> {
    let table = DeTable::parse(manifest).map_err(|error| error.to_string())?;
    let table = table.get_ref();
    let known = table.get("variables").and_then(|variables| variables.get_ref().as_table());
    let known = known.ok_or("spin.toml has no variables")?;
    let readers = readers(table);
    let of_variables = manifest.split_once("[variables]\n").map_or("", |(_, rest)| rest);
    let of_variables = of_variables.split("\n[[").next().unwrap_or_default();
    let mut text =
        "\n## Settings of the functions\n\n| variable | default | components | |\n|---|---|---|---|\n"
            .to_owned();
    for setting in settings(of_variables).into_iter().flat_map(|(_, settings)| settings) {
        let mut defaults = Vec::new();
        let mut is_secret = false;
        for key in &setting.keys {
            let variable = known.get(key.as_str()).and_then(|it| it.get_ref().as_table());
            let variable = variable.ok_or(format!("{key} is not a variable"))?;
            let default = variable.get("default").and_then(|it| it.get_ref().as_str());
            defaults.push(default.filter(|text| !text.is_empty()).map(|text| format!("`{text}`")));
            is_secret |= matches!(
                variable.get("secret").map(|it| it.get_ref()),
                Some(DeValue::Boolean(true))
            );
        }
        let defaults = defaults.into_iter().map(|text| text.unwrap_or_else(|| "–".to_owned()));
        let components = components(&setting.keys, &readers);
        let secret = if is_secret { " (secret)" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {components} | {}{secret} |",
            joined(setting.keys.iter().map(|key| format!("`{key}`"))),
            joined(defaults),
            cell(&setting.comment),
        );
    }
    Ok(text)
}

/// The components that read a variable or are permitted a host that it names, by variable; the list
/// of all of them stands under an empty name.
fn readers(manifest: &DeTable<'_>) -> BTreeMap<String, Vec<String>> {
    let mut readers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let all = manifest.get("component").and_then(|it| it.get_ref().as_table());
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    all.sort_by_key(|(id, _)| id.get_ref().to_string());
    for (id, component) in all {
        let Some(component) = component.get_ref().as_table() else { continue };
        let id = id.get_ref().to_string();
        let mut templates = Vec::new();
        for part in ["variables", "allowed_outbound_hosts"] {
            match component.get(part).map(|it| it.get_ref()) {
                Some(DeValue::Table(table)) => {
                    templates
                        .extend(table.iter().filter_map(|(_, value)| value.get_ref().as_str()));
                }
                Some(DeValue::Array(items)) => {
                    templates.extend(items.iter().filter_map(|value| value.get_ref().as_str()));
                }
                _ => {}
            }
        }
        readers.entry(String::new()).or_default().push(id.clone());
        for name in templates.iter().flat_map(|text| text.split("{{ ").skip(1)) {
            let name = name.split(" }}").next().unwrap_or_default();
            let known = readers.entry(name.to_owned()).or_default();
            if known.last() != Some(&id) {
                known.push(id.clone());
            }
        }
    }
    readers
}

fn components(keys: &[String], readers: &BTreeMap<String, Vec<String>>) -> String {
    let of = |key: &str| readers.get(key).cloned().unwrap_or_default();
    let these = keys.first().map(|key| of(key)).unwrap_or_default();
    if these == of("") { "all".to_owned() } else { these.join(", ") }
}
