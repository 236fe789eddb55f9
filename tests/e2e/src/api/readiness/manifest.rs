//! The manifest against what the components ask for. `/readyz` is one component's answer, and a
//! component sees its own variables only: so each must be given what it reads, and all the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use support::{Functions, RedisServer, logged, paths, token};

use super::{detail, ready};

type Variables = BTreeMap<String, String>;

fn manifest() -> String {
    std::fs::read_to_string(paths::workspace().join("spin.toml")).unwrap()
}

/// The variables of each table of `spin.toml` that has some; there is a line for each.
fn tables() -> BTreeMap<String, Variables> {
    let mut tables: BTreeMap<String, Variables> = BTreeMap::new();
    let mut variables = None;
    for line in manifest().lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let is_theirs = table.ends_with("variables");
            variables = is_theirs.then(|| tables.entry(table.to_owned()).or_default());
        } else if let (Some(variables), Some((name, value))) =
            (&mut variables, line.split_once(" = "))
        {
            variables.insert(name.to_owned(), value.trim_matches('"').to_owned());
        }
    }
    tables
}

/// What an operator sets.
fn application() -> Variables {
    tables().remove("variables").unwrap()
}

/// What each component gets of that.
fn given() -> BTreeMap<String, Variables> {
    let of_component = |(table, variables): (String, Variables)| {
        let component = table.strip_prefix("component.")?.strip_suffix(".variables")?;
        Some((component.to_owned(), variables))
    };
    tables().into_iter().filter_map(of_component).collect()
}

/// The variables that a component reads: their names are in its code, unless the linker has dropped
/// whatever reads them.
fn wanted(component: &str, application: &Variables) -> BTreeSet<String> {
    let code = std::fs::read(paths::component(component)).unwrap();
    let reads = |name: &str| code.windows(name.len()).any(|bytes| bytes == name.as_bytes());
    let is_read = |name: &str| match name {
        // A word that is in other words, too. It is read together with this:
        "record" => reads("postgres_url"),
        // Likewise. Whoever publishes needs it: the scripts that do are in its code.
        "live" => reads("SPUBLISH', own"),
        // Of the example resource in resources.toml, which a build holds against the manifest.
        "settings_host" => component == "cache",
        // For the permissions in the manifest; code names them in errors only.
        _ if name.ends_with("_host") || name.ends_with("_origin") => false,
        _ => reads(name),
    };
    application.keys().filter(|name| is_read(name)).cloned().collect()
}

/// The components of Bellwire itself: all of them verify tokens and may be called by pages.
const OURS: [&str; 9] = [
    "cache",
    "campaigns",
    "feed",
    "notifications",
    "ops",
    "presence",
    "pushes",
    "queues",
    "tokens",
];

#[test]
fn every_component_is_given_what_it_reads_and_nothing_else() {
    let (application, given) = (application(), given());
    assert_eq!(given["presence"].len(), 9);
    for (component, variables) in &given {
        let names: BTreeSet<String> = variables.keys().cloned().collect();
        let mut wanted = wanted(component, &application);
        if !OURS.contains(&component.as_str()) {
            // A component may do without tokens, and without pages of other origins.
            let verifies = names.iter().any(|name| name.starts_with("auth_"));
            wanted.retain(|name| verifies || !name.starts_with("auth_"));
            wanted.retain(|name| name != "cors_origins" || names.contains(name));
        }
        assert_eq!(names, wanted, "{component}");
    }
}

/// What is wrong for one is wrong for `ops`, which answers `/readyz`: all take their variables from
/// the application, and `ops` has every one of them.
#[test]
fn readiness_sees_the_values_that_the_others_get() {
    let given = given();
    for (component, variables) in &given {
        for (name, value) in variables {
            assert_eq!(*value, format!("{{{{ {name} }}}}"), "{component}");
            // An origin that is away is no reason not to serve, nor is a key of Web Push.
            let is_optional = ["settings_host", "vapid_public_key"].contains(&name.as_str());
            assert!(given["ops"].contains_key(name) || is_optional, "{name}");
        }
    }
}

/// The application without one variable of one component.
async fn without(redis: &RedisServer, component: &str, variable: &str) -> Functions {
    let resources = paths::workspace().join("functions/cache/resources.toml");
    // Served from a copy, which is then changed.
    let setup = Functions::with(redis).resources(&std::fs::read_to_string(resources).unwrap());
    let path = setup.dir().join("app/spin.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, section) = text.split_once(&format!("[component.{component}.variables]")).unwrap();
    let line = format!("\n{variable} = ");
    let (before, after) = section.split_once(&line).unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let text = format!("{head}[component.{component}.variables]{before}\n{after}");
    std::fs::write(&path, text).unwrap();
    setup.start().await
}

#[tokio::test]
async fn a_component_that_lacks_a_variable_names_it() {
    let redis = RedisServer::start().await;
    let functions = without(&redis, "notifications", "redis_url").await;
    let refused = functions.create(&json!({"userId": "alice", "title": "one"})).await;
    let refused = refused.expect_problem(500, "internal");
    let expected = "config: the variable `redis_url` is not given to this component";
    assert_eq!(detail(&refused), expected);
    logged(|| functions.output(), &["variable_failed", "redis_url"]).await;
    // The others have theirs.
    let feed = functions.get("/users/alice/notifications").token(&token("alice", ""));
    feed.send().await.expect(200);

    let functions = without(&redis, "ops", "auth_jwks").await;
    let answer = ready(&functions).await.expect_problem(503, "not_ready");
    let expected = "config: the variable `auth_jwks` is not given to this component";
    assert_eq!(detail(&answer), expected);
    functions.get("/healthz").send().await.expect(200);
}
