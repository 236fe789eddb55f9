//! `templates/bellwire-rust`, filled in as Spin's `spin new` and `spin add` do it (crates/templates of
//! Spin 4): it makes this example, and what it makes builds against the checkout and serves.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Functions, RedisServer, paths};

/// Of the component that is made.
const NAME: &str = "my-greetings";
/// The application to which `spin add` adds it, as Spin's template `http-empty` makes one.
const EMPTY: &str =
    "spin_manifest_version = 2\n\n[application]\nname = \"empty\"\nversion = \"0.1.0\"\n";

/// The values that Spin has by itself, and the parameters of the template.
type Values<'a> = [(&'a str, &'a str)];

fn template() -> PathBuf {
    paths::workspace().join("templates/bellwire-rust")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Fills in the part of Liquid that the template uses. Fails at anything else: Spin would copy a file
/// that it cannot parse unchanged, and say nothing.
fn fill_in(mut text: &str, values: &Values) -> String {
    let value = |name: &str| {
        let found = values.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("the template has no parameter {name:?}")).1
    };
    let mut filled = String::new();
    while let Some(at) = text.find("{{").into_iter().chain(text.find("{%")).min() {
        filled.push_str(&text[..at]);
        let close = if text[at..].starts_with("{{") { "}}" } else { "%}" };
        let (tag, rest) = text[at + 2..].split_once(close).expect("a tag ends");
        text = rest;
        match *tag.split_whitespace().collect::<Vec<_>>() {
            [name] if close == "}}" => filled.push_str(value(name)),
            [name, "|", "kebab_case"] => filled.push_str(value(name)),
            [name, "|", "snake_case"] => filled.push_str(&value(name).replace('-', "_")),
            ["raw"] => {
                let (raw, rest) = text.split_once("{% endraw %}").expect("raw text ends");
                filled.push_str(raw);
                text = rest;
            }
            ["if", name, "contains", part] => {
                let (yes, rest) = text.split_once("{% else %}").expect("an else");
                let (no, rest) = rest.split_once("{% endif %}").expect("an endif");
                let chosen = if value(name).contains(part.trim_matches('"')) { yes } else { no };
                filled.push_str(&fill_in(chosen, values));
                text = rest;
            }
            _ => panic!("{tag:?} is not filled in here"),
        }
    }
    filled + text
}

fn values<'a>(name: &'a str, bellwire: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("project-name", name),
        ("output-path", name),
        ("authors", "Ada <ada@example.com>"),
        ("username", "Ada"),
        ("project-description", ""),
        ("bellwire", bellwire),
    ]
}

fn content(file: &str, values: &Values) -> String {
    fill_in(&read(template().join("content").join(file)), values)
}

fn snippet(file: &str, values: &Values) -> String {
    fill_in(&read(template().join("metadata/snippets").join(file)), values)
}

#[test]
fn the_template_makes_this_example() {
    let example = paths::workspace().join("examples/hello");
    let values = values("hello", "https://example.com/bellwire.git");
    assert_eq!(content("src/lib.rs", &values), read(example.join("src/lib.rs")));
    let dependency = "runtime = { git = \"https://example.com/bellwire.git\" }\n";
    assert!(content("Cargo.toml.tmpl", &values).contains(dependency));

    // The same permissions and variables in all three manifests.
    let lines = |text: &str| {
        let of_interest = ["allowed_outbound_hosts", "redis_", "route", "component ="];
        let mut lines: Vec<_> = text
            .lines()
            .filter(|line| of_interest.iter().any(|start| line.starts_with(start)))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let ours = lines(&read(example.join("spin.toml")));
    assert_eq!(lines(&content("spin.toml", &values)), ours);
    let added = snippet("component.txt", &values) + &snippet("variables.txt", &values);
    assert_eq!(lines(&added), ours);
}

#[test]
fn the_metadata_names_what_is_there() {
    let metadata = read(template().join("metadata/spin-template.toml"));
    // What these tests take for granted.
    for line in [
        "manifest_version = \"1\"",
        "id = \"bellwire-rust\"",
        "skip_files = [\"spin.toml\"]",
        "component = \"component.txt\"",
        "variables = \"variables.txt\"",
    ] {
        assert!(metadata.lines().any(|it| it == line), "{line}");
    }
    let (_, parameters) = metadata.split_once("[parameters]\n").expect("parameters");
    let names = parameters.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<_> = names.map(|line| line.split_once(" = ").expect("a parameter").0).collect();
    assert_eq!(names, ["project-description", "bellwire"]);
}

/// Writes a new application to `dir`, builds it with the command of its manifest, as `spin build` does.
fn make(dir: &Path) {
    let checkout = paths::workspace();
    let checkout = checkout.to_str().unwrap();
    for file in ["Cargo.toml.tmpl", "src/lib.rs", "spin.toml"] {
        let made = content(file, &values(NAME, checkout));
        write(dir.join(file.trim_end_matches(".tmpl")), &made);
    }
    // The versions that the checkout was tested with, and no network.
    std::fs::copy(paths::workspace().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let manifest = read(dir.join("spin.toml"));
    let command = manifest.lines().find_map(|line| line.strip_prefix("command = \"")).unwrap();
    let mut build = Command::new("sh");
    build.arg("-c").arg(command.trim_end_matches('"')).current_dir(dir);
    build.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
    // Everything is compiled anew, in half the time without optimization. What optimized components do is
    // tested elsewhere.
    for (name, value) in [("OPT_LEVEL", "0"), ("LTO", "off"), ("CODEGEN_UNITS", "16")] {
        build.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    let built = build.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

async fn assert_serves(manifest: PathBuf, redis: &RedisServer) {
    let app = Functions::of(manifest, redis).start().await;
    let answer = app.plain().get(&format!("/{NAME}")).send().await.expect(200);
    assert_eq!(answer.text(), r#"{"hello":"world"}"#);
    let time = format!("/{NAME}/time");
    let first = app.plain().get(&time).send().await.expect(200);
    let second = app.plain().get(&time).send().await.expect(200);
    assert!(second.header("cache-status").starts_with("bellwire; hit; ttl="));
    assert_eq!(second.text(), first.text());
    redis.run::<()>(&format!("DEL {NAME}:time")).await;
}

#[tokio::test]
async fn a_new_application_and_an_added_component_build_and_serve() {
    let outer = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spin-template");
    make(&outer.join(NAME));
    let redis = RedisServer::start().await;
    assert_serves(outer.join(NAME).join("spin.toml"), &redis).await;

    // Spin appends the component, and merges the variables into their table.
    let values = values(NAME, "/bellwire");
    let variables = snippet("variables.txt", &values);
    let component = snippet("component.txt", &values);
    write(outer.join("spin.toml"), &format!("{EMPTY}\n[variables]\n{variables}\n{component}"));
    assert_serves(outer.join("spin.toml"), &redis).await;
}
