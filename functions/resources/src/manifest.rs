//! The manifest for a file of resources: the checkout's own, as text with its comments, with the
//! hosts and variables of these resources.

use std::collections::BTreeSet;

use resources::headers::HeaderPiece;
use resources::sources::{HttpOrigin, OriginHost, Source};
use resources::{Resource, Resources};
use toml::de::{DeTable, DeValue};

/// The line of the example resource's host in the manifest: the resources' hosts take its place.
const EXAMPLE_HOST: &str = "    \"http://{{ settings_host }}\",";
const EXAMPLE_FILE: &str = "\"functions/cache/resources.toml\"";

/// What the cache needs for its resources.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    /// `scheme://host` of each URL.
    origins: BTreeSet<String>,
    /// Variables that are a host.
    hosts: BTreeSet<String>,
    /// Variables in header fields only.
    secrets: BTreeSet<String>,
}

impl Needs {
    fn of(resources: &Resources) -> Self {
        let mut needs = Self::default();
        for Resource { source, .. } in &resources.0 {
            let Source::Http(HttpOrigin { is_tls, host, headers, .. }) = source else { continue };
            let host = match host {
                OriginHost::Fixed(host) => host.clone(),
                OriginHost::Variable(name) => {
                    needs.hosts.insert(name.clone());
                    format!("{{{{ {name} }}}}")
                }
            };
            needs.origins.insert(format!("http{}://{host}", if *is_tls { "s" } else { "" }));
            let pieces = headers.iter().flat_map(|header| &header.value);
            needs.secrets.extend(pieces.filter_map(|piece| match piece {
                HeaderPiece::Variable(name) => Some(name.clone()),
                HeaderPiece::Text(_) => None,
            }));
        }
        needs.secrets.retain(|name| !needs.hosts.contains(name));
        needs
    }
}

/// The manifest `base` of the checkout in `root`, for the resources of a file with this name that
/// lies beside it.
///
/// # Errors
/// `base` is not TOML.
pub(crate) fn for_resources(
    base: &str,
    resources: &Resources,
    file: &str,
    root: &str,
) -> Result<String, String> {
    let parsed = DeTable::parse(base).map_err(|error| format!("spin.toml: {error}"))?;
    let has = |path: &[&str], name: &str| {
        let table = path.iter().try_fold(parsed.get_ref(), |table, key| table_at(table, key));
        table.is_some_and(|table| table.contains_key(name))
    };
    let needs = Needs::of(resources);
    let variables = || needs.hosts.iter().chain(&needs.secrets);
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for line in base.lines() {
        if line == EXAMPLE_HOST {
            needs.origins.iter().for_each(|origin| add(&format!("    {},", quoted(origin))));
            continue;
        }
        let target = format!("source = \"{}/target/", escaped(root));
        let line = line.replace("source = \"target/", &target);
        add(&line.replace(EXAMPLE_FILE, &quoted(file)));
        match line.as_str() {
            "[variables]" => {
                for name in variables().filter(|name| !has(&["variables"], name)) {
                    let secret = if needs.secrets.contains(name) { ", secret = true" } else { "" };
                    add(&format!("{name} = {{ required = true{secret} }}"));
                }
            }
            "[component.cache.variables]" => {
                let known = ["component", "cache", "variables"];
                for name in variables().filter(|name| !has(&known, name)) {
                    add(&format!("{name} = \"{{{{ {name} }}}}\""));
                }
            }
            _ => {}
        }
    }
    Ok(text)
}

fn table_at<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> Option<&'t DeTable<'a>> {
    match table.get(key)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The text as a string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The text between the quotes of a string of TOML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = include_str!("../../../spin.toml");

    fn manifest(resources: &str) -> String {
        let resources = Resources::parse(resources).unwrap();
        for_resources(BASE, &resources, "team's \"own\".toml", "/opt/bell \"wire\"").unwrap()
    }

    fn at<'t, 'a>(table: &'t DeTable<'a>, path: &[&str]) -> &'t DeTable<'a> {
        path.iter().fold(table, |table, key| table_at(table, key).expect(key))
    }

    fn text_at<'t>(table: &'t DeTable<'_>, key: &str) -> &'t str {
        table[key].get_ref().as_str().unwrap()
    }

    fn hosts<'t>(manifest: &'t DeTable<'_>) -> Vec<&'t str> {
        let cache = at(manifest, &["component", "cache"]);
        let DeValue::Array(hosts) = cache["allowed_outbound_hosts"].get_ref() else { panic!() };
        hosts.iter().map(|host| host.get_ref().as_str().unwrap()).collect()
    }

    /// The hosts of the cache without that of the example.
    fn own_hosts() -> usize {
        let base = DeTable::parse(BASE).unwrap().into_inner();
        hosts(&base).into_iter().filter(|host| !EXAMPLE_HOST.contains(host)).count()
    }

    #[test]
    fn every_way_to_write_a_resource_counts() {
        let text = manifest(
            r##"
[[resource]]
path = "quoted"
fresh = "1m"
http = { "url" = "https://quoted.example/a", 'headers' = { "X-Key" = "{{ key }}" } }

[[resource]]
path = "long"
fresh = "1m"
[resource.http]
url = """
http://long.example\
    /a"""

[[resource]]
path = "dotted" # url = "http://comment.example/x"
fresh = "1m"
http.url = "http://{{host}}/a"
http.headers."X-#" = "# {{other_key}}"
"##,
        );
        let parsed = DeTable::parse(&text).unwrap().into_inner();
        let found = hosts(&parsed);
        for host in ["https://quoted.example", "http://long.example", "http://{{ host }}"] {
            assert!(found.contains(&host), "{host}: {found:?}");
        }
        assert_eq!(
            found.len(),
            own_hosts() + 3,
            "neither the comment's nor the example's: {found:?}"
        );
        for (name, is_secret) in [("host", false), ("key", true), ("other_key", true)] {
            let declared = at(&parsed, &["variables", name]);
            assert_eq!(declared["required"].get_ref().as_bool(), Some(true));
            assert_eq!(declared.contains_key("secret"), is_secret, "{name}");
            let given = at(&parsed, &["component", "cache", "variables"]);
            assert_eq!(text_at(given, name), format!("{{{{ {name} }}}}"));
        }
        let cache = at(&parsed, &["component", "cache"]);
        let source = text_at(cache, "source");
        assert!(source.starts_with("/opt/bell \"wire\"/target/wasm32"), "{source}");
        let DeValue::Array(files) = cache["files"].get_ref() else { panic!() };
        let DeValue::Table(file) = files[0].get_ref() else { panic!() };
        assert_eq!(text_at(file, "source"), "team's \"own\".toml");
    }

    #[test]
    fn what_the_manifest_has_is_not_declared_twice() {
        let text = manifest(
            r#"
[[resource]]
path = "again"
fresh = "1m"
[resource.http]
url = "http://{{ settings_host }}/a"
headers = { X-Days = "{{ retention_days }}", X-Host = "{{ settings_host }}" }
"#,
        );
        let parsed = DeTable::parse(&text).unwrap().into_inner();
        assert_eq!(text.matches("\nsettings_host = ").count(), 2, "declared, and given");
        let given = at(&parsed, &["component", "cache", "variables"]);
        assert_eq!(text_at(given, "retention_days"), "{{ retention_days }}", "others had it");
        let without = manifest("");
        let parsed = DeTable::parse(&without).unwrap().into_inner();
        assert_eq!(hosts(&parsed).len(), own_hosts(), "without the example's");
    }
}
