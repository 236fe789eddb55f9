//! The manifest against what the components ask for. `/readyz` is one component's answer, and a
//! component sees its own variables only: so all must be given the same, and each all that it needs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use runtime::config::Config;
use serde_json::json;
use support::{Functions, RedisServer, paths, token};

use super::{detail, ready};

type Variables = BTreeMap<String, String>;

fn manifest() -> String {
    std::fs::read_to_string(paths::workspace().join("spin.toml")).unwrap()
}

/// Each component's variables in `spin.toml`, which has a line for each.
fn given() -> BTreeMap<String, Variables> {
    let mut given: BTreeMap<String, Variables> = BTreeMap::new();
    let mut variables = None;
    for line in manifest().lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let component = table.trim_end_matches(']').strip_prefix("component.");
            let component = component.and_then(|name| name.strip_suffix(".variables"));
            variables = component.map(|name| given.entry(name.to_owned()).or_default());
        } else if let (Some(variables), Some((name, value))) =
            (&mut variables, line.split_once(" = "))
        {
            variables.insert(name.to_owned(), value.trim_matches('"').to_owned());
        }
    }
    given
}

/// The variables that every component reads.
async fn wanted() -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let config = Config::load(async |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        Ok(match name {
            "record" => "sqlite",
            "retention_days" => "90",
            "redis_url" => "redis://127.0.0.1:6379",
            _ => "",
        }
        .to_owned())
    });
    config.await.unwrap();
    names.into_inner()
}

#[tokio::test]
async fn every_component_is_given_what_it_reads() {
    let (wanted, given) = (wanted().await, given());
    assert_eq!((wanted.len(), given.len()), (9, 8), "{wanted:?}");
    for (component, variables) in &given {
        let names: BTreeSet<String> = variables.keys().cloned().collect();
        let missing: Vec<_> = wanted.difference(&names).collect();
        assert!(missing.is_empty(), "{component} lacks {missing:?}");
        let own: Vec<_> = names.difference(&wanted).collect();
        // Of the example resource in resources.toml, which a build holds against the manifest.
        let expected: &[&str] = if component == "cache" { &["settings_host"] } else { &[] };
        assert_eq!(own, expected, "{component}: read by nobody");
    }
}

/// What is wrong for one is wrong for `ops`, which answers `/readyz`: it takes every variable from
/// the application, and so do the others, but for constants that are right.
#[tokio::test]
async fn readiness_sees_the_values_that_the_others_get() {
    let given = given();
    let constants = [("postgres_url", ""), ("record", "sqlite"), ("retention_days", "90")];
    for name in wanted().await {
        let from_application = format!("{{{{ {name} }}}}");
        assert_eq!(given["ops"][&name], from_application);
        for (component, variables) in &given {
            let value = variables[&name].as_str();
            let is_constant = constants.contains(&(name.as_str(), value));
            assert!(value == from_application || is_constant, "{component}: {name} = {value:?}");
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
    let log = functions.output();
    assert!(log.contains("variable_failed") && log.contains("redis_url"), "{log}");
    // The others have theirs.
    let feed = functions.get("/users/alice/notifications").token(&token("alice", ""));
    feed.send().await.expect(200);

    let functions = without(&redis, "ops", "auth_jwks").await;
    let answer = ready(&functions).await.expect_problem(503, "not_ready");
    let expected = "config: the variable `auth_jwks` is not given to this component";
    assert_eq!(detail(&answer), expected);
    functions.get("/healthz").send().await.expect(200);
}
