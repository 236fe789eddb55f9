//! What the built components import: a host that lacks one of these refuses the component.

use std::collections::BTreeSet;
use std::path::Path;

use support::paths;
use wasmparser::{Parser, Payload};

/// Of all of them: HTTP (a client for the keys of identity providers, too), Redis, variables, time, random words and what Rust's library wants.
/// A `*` stands for all interfaces of a package.
const EVERY: [&str; 9] = [
    "spin:redis/redis@3.0.0",
    "spin:variables/variables@3.0.0",
    "wasi:cli/*@0.2.6",
    "wasi:clocks/*@0.2.6",
    "wasi:clocks/*@0.3.0",
    "wasi:http/client@0.3.0",
    "wasi:http/types@0.3.0",
    "wasi:io/*@0.2.6",
    "wasi:random/random@0.3.0",
];
const FILES: &str = "wasi:filesystem/*@0.2.6";
const POSTGRES: &str = "spin:postgres/postgres@4.2.0";
const SQLITE: &str = "spin:sqlite/sqlite@3.1.0";

/// What each imports beside that. An import that is not here is a mistake, or a decision
/// about where the functions run.
const OWN: &[(&str, &[&str])] = &[
    ("cache", &[POSTGRES, SQLITE, FILES]),
    ("campaigns", &[]),
    ("feed", &[POSTGRES, SQLITE]),
    ("notifications", &[POSTGRES, SQLITE]),
    ("ops", &[POSTGRES, SQLITE]),
    ("presence", &[]),
    ("pushes", &[POSTGRES, SQLITE]),
    ("queues", &[FILES]),
    ("tokens", &[POSTGRES, SQLITE]),
];

/// The interfaces that a component imports, as its file says.
fn imports(file: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let (mut imports, mut depth) = (BTreeSet::new(), 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            // Not those of a module or a component within.
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports
                    .extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    imports
}

/// `wasi:io/poll@0.2.6` as `wasi:io/*@0.2.6`.
fn package(import: &str) -> Option<String> {
    let (package, interface) = import.split_once('/')?;
    Some(format!("{package}/*@{}", interface.split_once('@')?.1))
}

/// Panics unless a component imports `EVERY` and what is its own, and nothing else.
fn check(file: &Path, own: &[&str]) {
    let expected: BTreeSet<&str> = EVERY.iter().chain(own).copied().collect();
    let mut unused = expected.clone();
    for import in imports(file) {
        let package = package(&import).unwrap_or_default();
        let found = [import.as_str(), package.as_str()].into_iter().find(|i| expected.contains(i));
        let Some(found) = found else {
            panic!("{} imports {import}, which is not in the table", file.display());
        };
        unused.remove(found);
    }
    assert!(unused.is_empty(), "{} does not import {unused:?}", file.display());
}

/// The components of `spin.toml`, with what each imports. One that is not in the table may import
/// what every one does.
fn components() -> Vec<(String, &'static [&'static str])> {
    let manifest = std::fs::read_to_string(paths::workspace().join("spin.toml")).unwrap();
    let tables = manifest.lines().filter_map(|line| line.strip_prefix("[component."));
    let names = tables.filter_map(|table| table.strip_suffix(']')).filter(|n| !n.contains('.'));
    let own = |name: &str| OWN.iter().find(|(known, _)| *known == name).map_or(&[][..], |it| it.1);
    let components: Vec<_> = names.map(|name| (name.to_owned(), own(name))).collect();
    for (name, _) in OWN {
        assert!(components.iter().any(|(known, _)| known == name), "{name} is not in spin.toml");
    }
    components
}

#[test]
fn components_import_what_the_table_says() {
    for (component, own) in components() {
        check(&paths::component(&component), own);
    }
}

/// A component of somebody else imports what it uses, and no database.
#[test]
fn the_example_imports_what_every_component_does() {
    check(&paths::component("hello"), &[]);
}

#[test]
fn a_build_without_sqlite_imports_all_but_that() {
    for (component, own) in OWN.iter().filter(|(_, own)| own.contains(&SQLITE)) {
        let own: Vec<_> = own.iter().copied().filter(|import| *import != SQLITE).collect();
        check(&paths::without_sqlite(component), &own);
    }
}

/// A component may do with a host's interface what the manifest permits; what it does not import it
/// is not permitted either.
#[test]
fn components_are_permitted_what_they_import() {
    let manifest = std::fs::read_to_string(paths::workspace().join("spin.toml")).unwrap();
    for (component, own) in components() {
        let (_, section) = manifest.split_once(&format!("\n[component.{component}]\n")).unwrap();
        let section = section.split_once("\n[").map_or(section, |(section, _)| section);
        let lines = section.lines().filter(|line| !line.starts_with('#'));
        let section = lines.collect::<Vec<_>>().join("\n");
        for (permission, import) in [
            ("sqlite_databases", SQLITE),
            ("\"postgres://{{ postgres_host }}\"", POSTGRES),
            ("files = ", FILES),
        ] {
            let is_permitted = section.contains(permission);
            assert_eq!(is_permitted, own.contains(&import), "{component}: {permission}");
        }
        for origin in ["auth_origin", "auth_jwks_origin"] {
            let provider = format!("\"{{{{ {origin} }}}}\"");
            assert!(section.contains(&provider), "{component}: {provider}");
        }
        for scheme in ["redis", "rediss"] {
            let redis = format!("\"{scheme}://{{{{ redis_host }}}}\"");
            assert!(section.contains(&redis), "{component}: {redis}");
        }
    }
}
