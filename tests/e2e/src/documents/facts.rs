//! The documents against the files, commands and tables of the code that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use shared::auth::Scope;
use shared::{CloseCode, Code};
use support::paths::workspace;

/// The README is a first screen and a start, ARCHITECTURE is a map; details have documents of their
/// own.
const LINES_MAX: [(&str, usize); 2] = [("README.md", 140), ("docs/ARCHITECTURE.md", 250)];
const SNIPPETS: &str = "examples/javascript";
/// Documents that name settings of the hub and of the functions, and of nothing else.
const FOR_USERS: [&str; 9] = [
    "README.md",
    "docs/cache.md",
    "docs/coexistence.md",
    "docs/configuration.head.md",
    "docs/deploy.md",
    "docs/http-api.head.md",
    "docs/hub-protocol.md",
    "docs/migrate.md",
    "docs/operations.md",
];

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of a directory with an extension, relative to the checkout.
fn files(dir: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace().join(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let paths = names.map(|name| Path::new(dir).join(name));
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension() == Some(extension.as_ref())).collect();
    paths.sort();
    paths
}

/// Everything that a user reads, by path.
fn documents() -> BTreeMap<PathBuf, String> {
    let paths = files("", "md").into_iter().chain(files("docs", "md"));
    paths.map(|path| (path.clone(), read(path))).collect()
}

/// The lines inside and outside of fences, each text by itself.
fn code_and_prose(text: &str) -> (String, String) {
    let (mut code, mut prose, mut is_code) = (String::new(), String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let part = if is_code { &mut code } else { &mut prose };
        part.push_str(line);
        part.push('\n');
    }
    (code, prose)
}

/// What stands in backticks.
fn spans(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// Where links lead; nothing in backticks is one.
fn links(prose: &str) -> Vec<String> {
    let plain: String = prose.split('`').step_by(2).collect();
    let targets = plain.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors that GitHub gives the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let (_, prose) = code_and_prose(text);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let slugs = headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    });
    slugs
        .map(|slug| {
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        })
        .collect()
}

/// A path without `.` and `..`.
fn resolve(from: &Path, target: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in from.parent().unwrap().join(target).components() {
        match part.as_os_str().to_str() {
            Some("..") => assert!(path.pop(), "{target} leads out of the checkout"),
            Some(".") => {}
            _ => path.push(part),
        }
    }
    path
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let documents = documents();
    let mut checked = 0;
    for (document, text) in &documents {
        let (_, prose) = code_and_prose(text);
        for link in links(&prose) {
            if link.contains("://") {
                continue;
            }
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if file.is_empty() { document.clone() } else { resolve(document, file) };
            let place = format!("{}: {link}", document.display());
            assert!(workspace().join(&path).exists(), "no file: {place}");
            if !anchor.is_empty() {
                assert!(anchors(&read(&path)).contains(anchor), "no heading: {place}");
            }
        }
    }
    assert!(checked > 60, "{checked}");
}

#[test]
fn the_readme_and_the_map_are_short() {
    for (document, lines_max) in LINES_MAX {
        let lines = read(document).lines().count();
        assert!(lines <= lines_max, "{document}: {lines} lines");
    }
}

#[test]
fn every_command_of_make_that_is_named_exists() {
    let makefile = read("Makefile");
    let is_target = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    let mut named = BTreeSet::new();
    for (document, text) in documents() {
        let (code, prose) = code_and_prose(&text);
        let commands = code.lines().map(str::trim).chain(spans(&prose));
        for rest in commands.filter_map(|command| command.strip_prefix("make ")) {
            let name = rest.split([' ', '\n']).next().unwrap();
            assert!(is_target(name), "{}: make {name}", document.display());
            named.insert(name.to_owned());
        }
    }
    assert!(["help", "test", "up"].iter().all(|name| named.contains(*name)), "{named:?}");
}

/// Names behind each `prefix` in a text.
fn names<'a>(text: &'a str, prefix: &str, is_part: fn(char) -> bool) -> BTreeSet<&'a str> {
    let behind = text.split(prefix).skip(1);
    let names = behind.map(|rest| &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]);
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_setting_that_is_named_exists() {
    let (sample, manifest) = (read("docs/hub.example.toml"), read("spin.toml"));
    let is_line = |text: &str, name: &str| {
        let start = format!("{name} = ");
        text.lines().any(|line| line.trim_start_matches('#').starts_with(&start))
    };
    // Flags of the host, of Spin, and of docker.
    let others = [
        "config",
        "idle-instance-timeout",
        "max-instance-concurrent-reuse-count",
        "max-requests-in-flight",
        "runtime-config-file",
        "ulimit",
        "variable",
    ];
    let mut count = 0;
    for path in FOR_USERS {
        let text = read(path);
        let (_, prose) = code_and_prose(&text);
        let flags = spans(&prose).filter(|span| span.starts_with("--"));
        for name in flags.flat_map(|span| names(span, "--", |c| c == '-' || c.is_alphanumeric())) {
            let is_known = others.contains(&name) || is_line(&sample, &name.replace('-', "_"));
            assert!(is_known, "{path}: --{name}");
            count += 1;
        }
        for name in names(&text, "SPIN_VARIABLE_", |c| {
            c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit()
        }) {
            assert!(is_line(&manifest, &name.to_lowercase()), "{path}: SPIN_VARIABLE_{name}");
        }
    }
    assert!(count > 15, "{count}");
}

/// A block stands behind a line `<!-- path -->` and is that file.
#[test]
fn every_snippet_of_javascript_is_a_file_that_a_test_runs() {
    let mut shown = BTreeSet::new();
    for (document, text) in documents() {
        let mut before = "";
        let mut rest = text.as_str();
        while let Some((head, tail)) = rest.split_once("```js\n") {
            before = if head.is_empty() { before } else { head };
            let (block, tail) = tail.split_once("```").unwrap();
            let marker = before.trim_end().lines().last().unwrap_or_default();
            let place = document.display();
            let path = marker.strip_prefix("<!-- ").and_then(|path| path.strip_suffix(" -->"));
            let path = path.unwrap_or_else(|| panic!("{place}: which file is this?\n{block}"));
            assert_eq!(read(path), block, "{place}: not as {path} is");
            shown.insert(PathBuf::from(path));
            rest = tail;
        }
    }
    assert_eq!(shown, files(SNIPPETS, "js").into_iter().collect());
}

/// The rows of the table in a section, cell by cell.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let row = row.replace("\\|", "/");
        row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

fn code(name: &str) -> Code {
    let mut all = Code::ALL.into_iter();
    all.find(|code| code.as_str() == name).unwrap_or_else(|| panic!("no code: {name}"))
}

#[test]
fn the_close_codes_are_those_of_the_hub() {
    let rows = table("docs/hub-protocol.md", "Close codes");
    let told: BTreeMap<u16, bool> = rows
        .iter()
        .map(|row| (row[0].parse().unwrap(), row[2].split(',').next() == Some("yes")))
        .collect();
    let ours = CloseCode::ALL.into_iter().map(|code| (code.as_u16(), code.is_retryable()));
    assert_eq!(told, ours.clone().collect());
    // And those that a client must not come back after.
    let client = read(Path::new(SNIPPETS).join("reconnect.js"));
    let (_, list) = client.split_once("const terminal = [").unwrap();
    let list = list.split(']').next().unwrap().split(", ");
    let terminal: BTreeSet<u16> = list.map(|code| code.parse().unwrap()).collect();
    assert_eq!(
        terminal,
        ours.filter(|(_, comes_back)| !comes_back).map(|(code, _)| code).collect()
    );
}

#[test]
fn refused_handshakes_say_what_the_code_says() {
    let rows = table("docs/hub-protocol.md", "Refused handshakes");
    for row in &rows {
        for name in spans(&row[1]) {
            assert_eq!(row[0], code(name).status().to_string(), "{row:?}");
            let retry_after = code(name).retry_after_s().map(|seconds| seconds.to_string());
            assert_eq!(row[2], retry_after.unwrap_or_default(), "{row:?}");
        }
    }
    assert!(rows.len() > 5, "{rows:?}");
}

#[test]
fn every_scope_is_explained() {
    let text = read("docs/getting-started.md");
    let (_, section) = text.split_once("\n| scope | allows |\n").unwrap();
    let rows = section.lines().skip(1).take_while(|line| line.starts_with('|'));
    let told: BTreeSet<&str> = rows.flat_map(|row| spans(row.split('|').nth(1).unwrap())).collect();
    assert_eq!(told, Scope::ALL.into_iter().map(Scope::as_str).collect());
}
