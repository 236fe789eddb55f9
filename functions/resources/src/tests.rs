//! Valid declarations, and the errors about mistakes.
#![allow(clippy::unwrap_used, reason = "how a test fails")]

mod field_names;
mod headers;

use std::time::Duration;

use shared::limits::{CACHE_TAG_BYTES_MAX, ID_BYTES_MAX};

use crate::param::ParamType;
use crate::sources::{OriginHost, Source};
use crate::template::{is_tag, push_plain};
use crate::{Access, Resource, Resources};

fn one(fields: &str) -> Result<Resource, String> {
    let text = format!("[[resource]]\n{fields}\n");
    let resources = Resources::parse(&text).map_err(|error| error.to_string())?;
    Ok(resources.0.into_iter().next().unwrap())
}

fn mistake(text: &str) -> String {
    Resources::parse(text).map(|_| ()).expect_err(text).to_string()
}

#[test]
fn the_examples_are_right() {
    let resources = Resources::parse(include_str!("../../cache/resources.toml")).unwrap().0;
    let paths: Vec<&str> = resources.iter().map(|resource| resource.path.as_str()).collect();
    assert_eq!(paths, ["all_blogs", "profile/{userId}", "settings"]);
    let [blogs, profile, settings] = &resources[..] else { panic!("three resources") };
    assert_eq!(blogs.access, Access::Scope);
    assert_eq!(blogs.times.fresh, Duration::from_secs(300));
    let params = ["7".to_owned()];
    assert_eq!(profile.key.fill(&params, push_plain), "profile:7");
    assert_eq!(profile.tags.first().unwrap().fill(&params, push_plain), "user:7");
    assert_eq!(profile.access, Access::Subject(0));
    assert!(profile.matches(&["profile", "7"]) && !profile.matches(&["profile"]));
    assert_eq!(settings.access, Access::Public);
    let Source::Http(origin) = &settings.source else { panic!("an HTTP origin") };
    assert_eq!(origin.host, OriginHost::Variable("settings_host".to_owned()));
}

#[test]
fn defaults_are_filled_in() {
    let resource = one("path = \"a/{x}\"\nfresh = \"1s\"\nsql.query = \"SELECT {x}\"").unwrap();
    assert_eq!(resource.key.fill(&["v".to_owned()], push_plain), "a:v");
    assert_eq!((resource.access, resource.times.stale), (Access::Scope, None));
    assert_eq!(resource.times.local, None);
    let local = one("path = \"a\"\nfresh = \"1s\"\nlocal = \"250ms\"\nsql.query = \"SELECT 1\"");
    assert_eq!(local.unwrap().times.local, Some(Duration::from_millis(250)));
}

#[test]
fn mistakes_have_a_line_and_a_name() {
    let valid = "[[resource]]\npath = \"a\"\nfresh = \"1s\"\nsql.query = \"SELECT 1\"\n";
    assert!(Resources::parse(valid).is_ok());
    for (text, line, named) in [
        ("[[resource]]\npath = \"a\"\nfresh = \"1s", 3, "invalid"),
        ("[[resource]]\npath = 7\n", 2, "`path` must be a text in quotes"),
        ("[[resource]]\nfresh = \"1s\"\n", 1, "`path` is missing"),
        ("\n[[resource]]\npath = \"a\"\nsql.query = \"x\"\n", 2, "`fresh` is missing"),
        (
            "[[resource]]\npath = \"a\"\nfresh = \"1 hour\"\n",
            3,
            "`fresh` must be a whole number with its unit",
        ),
        ("[[resource]]\npath = \"a\"\nfresh = 60\n", 3, "in quotes: \"250ms\""),
        (
            "[[resource]]\npath = \"a\"\nfresh = \"1w\"\n",
            3,
            "`fresh` must be a whole number with its unit",
        ),
        ("[[resource]]\npath = \"a\"\nfresh = \"99d\"\n", 3, "`fresh` must be at most"),
        (
            "[[resource]]\npath = \"a\"\nfresh = \"1s\"\nlocal = \"11s\"\n",
            4,
            "`local` must be at most 10 s",
        ),
        ("[[resource]]\npath = \"a\"\nfresh = \"1s\"\n", 1, "needs a source"),
        ("[resource]\npath = \"a\"\n", 1, "[[resource]]"),
    ] {
        let problem = mistake(text);
        assert!(problem.starts_with(&format!("line {line}: ")), "{text}: {problem}");
        assert!(problem.contains(named), "{text}: {problem}");
    }
    let twice = format!("{valid}{valid}");
    assert!(mistake(&twice).contains("also matched by \"a\""), "{}", mistake(&twice));
    let same_key = format!("{valid}{}key = \"a\"\n", valid.replace("\"a\"", "\"b\""));
    assert!(mistake(&same_key).contains("`key` may be the same"), "{}", mistake(&same_key));
}

#[test]
fn unsafe_declarations_are_rejected() {
    let rest = "fresh = \"1s\"\nsql.query = \"SELECT 1\"";
    for (fields, named) in [
        ("path = \"a/{x}\"\nkey = \"a\"", "`key` must contain {x}"),
        ("path = \"a/{x}/{y}\"\nkey = \"a:{x}{y}\"", "\":\" between two parameters"),
        ("path = \"a/{x}\"\nkey = \"{x}\"", "must start with fixed text"),
        ("path = \"a\"\nkey = \"user:1:token\"", "another capability"),
        ("path = \"a\"\nkey = \"bw:x\"", "another capability"),
        ("path = \"a/{x}\"\nkey = \"notifications:{x}\"", "another capability"),
        ("path = \"a\"\nkey = \"online_users\"", "another capability"),
        ("path = \"a\"\nkey = \"a b\"", "`key` contains"),
        ("path = \"{x}\"", "must start with a name"),
        ("path = \"a/{x}/{x}\"", "twice"),
        ("path = \"a//b\"", "empty segment"),
        ("path = \"a/x{y}\"", "contains"),
        ("path = \"invalidate\"", "invalidate"),
        ("path = \"read\"", "read"),
        ("path = \"read/{id}\"", "read"),
        ("path = \"a\"\naccess = \"subject:x\"", "not a parameter"),
        ("path = \"a\"\naccess = \"everyone\"", "is \"everyone\": write \"public\""),
        ("path = \"a\"\ntags = [\"{x}\"]", "not a parameter"),
        ("path = \"a/{x}\"\ntags = [\"{x}:{x}:{x}:{x}\"]", "may have 515 bytes"),
        ("path = \"a\"\nbytes_max = 999999999", "`bytes_max` must be from 1"),
    ] {
        let problem = one(&format!("{fields}\n{rest}")).expect_err(fields);
        assert!(problem.contains(named), "{fields}: {problem}");
    }
}

#[test]
fn a_tag_is_valid_with_any_parameter() {
    let fields = "path = \"a/{x}\"\nfresh = \"1s\"\nhttp.url = \"http://x/\"";
    let tags = ["{x}", "user-{x}", "a:{x}:{x}", "{x}-{x}-{x}"];
    let declared = one(&format!("{fields}\ntags = {tags:?}")).expect("sound tags");
    for value in [".x".to_owned(), "x".repeat(ID_BYTES_MAX)] {
        for tag in &declared.tags {
            assert!(is_tag(&tag.fill(std::slice::from_ref(&value), push_plain)), "{tag:?}");
        }
    }
    for bad in ["", "{x}", "a b", "a/b", "é", &"x".repeat(CACHE_TAG_BYTES_MAX + 1)] {
        assert!(!is_tag(bad), "{bad}");
    }
}

#[test]
fn parameters_are_rejected_in_hosts() {
    for url in [
        "{x}",
        "http://{x}/",
        "http://host{x}/",
        "http://user@host/",
        "http://host:80{x}/",
        "http://{{ settings_host }}{x}/",
        "http://{{ }}/",
        "http://{{ A }}/",
        "ftp://host/",
        "http://host",
        "http://host?{x}",
        "http://host/#{x}",
        "http://host/a b",
        "http://host/{y}",
        "//host/",
    ] {
        let fields = format!("path = \"a/{{x}}\"\nfresh = \"1s\"\nhttp.url = \"{url}\"");
        let problem = one(&fields).expect_err(url);
        assert!(problem.contains("`http.url`"), "{url}: {problem}");
    }
    for url in
        ["http://host/{x}", "https://host:8443/a?b={x}", "http://{{ a_1 }}/{x}", "http://[::1]:80/"]
    {
        let fields = format!("path = \"a/{{x}}\"\nfresh = \"1s\"\nhttp.url = \"{url}\"");
        assert!(one(&fields).is_ok(), "{url}");
    }
}

#[test]
fn similar_keys_are_distinguished() {
    let text = r#"
        [[resource]]
        path = "post/{id}/{page}"
        key = "post:v1-{id}-x:{page}"
        fresh = "1s"
        http = { url = "http://x/" }
        [[resource]]
        path = "blog/{id}"
        key = "blog-{id}"
        fresh = "1s"
        http = { url = "http://x/" }
    "#;
    let resources = Resources::parse(text).expect("sound declarations");
    for key in ["post:v1-a-x:b", "post:v1--x-x:1", "blog-7"] {
        assert!(resources.own(key), "{key}");
    }
    for name in ["work", "blog", "blog-7:a", "blog-", "post:v1--x:b", "post:v1-a-x:b:c", ""] {
        assert!(!resources.own(name), "{name}");
    }
}

#[test]
fn a_parameter_may_have_a_type() {
    let declared = |path: &str| {
        one(&format!("path = \"{path}\"\nfresh = \"1s\"\nhttp.url = \"http://x/{{id}}\""))
    };
    let resource = declared("a/{id:int}/{x}/{y:uuid}").unwrap();
    assert_eq!(resource.params, ["id", "x", "y"]);
    assert_eq!(resource.types, [ParamType::Int, ParamType::Text, ParamType::Uuid]);
    let values = ["7", "b", "c"].map(str::to_owned);
    assert_eq!(resource.key.fill(&values, push_plain), "a:7:b:c");
    for (path, named) in [
        ("a/{id:integer}", "has {id:integer}: types are text, int and uuid"),
        ("a/{id:}", "types are text, int and uuid"),
        ("a/{:int}", "a parameter is a name"),
        ("a/{id}/{id:int}", "the parameter {id} twice"),
    ] {
        let problem = declared(path).expect_err(path);
        assert!(problem.contains(named), "{path}: {problem}");
    }
    // The type is declared once.
    for rest in [
        "key = \"a:{id:int}\"\nsql.query = \"SELECT {id}\"",
        "sql.query = \"SELECT '{}', {id:int}\"",
        "tags = [\"{id:int}\"]\nsql.query = \"SELECT {id}\"",
        "http.url = \"http://x/{id:int}\"",
    ] {
        let fields = format!("path = \"a/{{id:int}}\"\nfresh = \"1s\"\n{rest}");
        let problem = one(&fields).expect_err(rest);
        assert!(
            problem.contains("{id:int}: types are declared in `path` only; write {id} here"),
            "{problem}"
        );
    }
}

#[test]
fn an_invalid_url_gets_the_correct_form() {
    for (url, remedy) in [
        ("localhost:8080/x", "has no scheme: write \"http://localhost:8080/x\" or https://"),
        ("//host/x", "write \"http://host/x\""),
        ("ftp://host/x", "write \"http://host/x\""),
        ("http://host", "has no path: write \"http://host/\""),
        ("http://host?a=b", "has no path: write \"http://host/?a=b\""),
        ("http://host/#a", "has a fragment"),
        ("http://host/a b", "has ' ' in its path: percent-encode it"),
        ("http://host/ü", "has 'ü' in its path"),
        ("http://{host}/", "has the host \"{host}\": write a fixed host[:port]"),
        ("http://user:secret@host/", "write a fixed host[:port]"),
        ("http://{{ Host }}/", "the name of a variable has only a-z, 0-9 and _"),
        ("http://host/{y}", "has {y}, which is not a parameter of `path` (it has {x})"),
        ("http://host/{x", "has braces without a parameter name: write {name}"),
    ] {
        let fields = format!("path = \"a/{{x}}\"\nfresh = \"1s\"\nhttp.url = \"{url}\"");
        let problem = one(&fields).expect_err(url);
        assert!(problem.starts_with("line 4: `http.url` "), "{url}: {problem}");
        assert!(problem.contains(remedy), "{url}: {problem}");
    }
}

/// Mistakes of new users: the message names the line and the correct form.
#[test]
fn texts_without_quotes_get_the_correct_form() {
    for (line, named) in [
        ("url = localhost:8080/x", "quotes"),
        ("url = http://localhost:8080/x", "quotes"),
        ("url = {{ settings_host }}/x", "quotes"),
        ("url = nullable.example/x", "quotes"),
    ] {
        let text = format!("[[resource]]\npath = \"a\"\nfresh = \"1s\"\n[resource.http]\n{line}\n");
        let problem = mistake(&text);
        assert!(problem.starts_with("line 5: ") && problem.contains(named), "{line}: {problem}");
    }
    for (line, named) in [("fresh = 30s", "quotes"), ("fresh = soon", "quotes")] {
        let problem = mistake(&format!("[[resource]]\npath = \"a\"\n{line}\n"));
        assert!(problem.starts_with("line 3: ") && problem.contains(named), "{line}: {problem}");
    }
}
