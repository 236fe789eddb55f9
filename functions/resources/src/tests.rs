//! Declarations: what is taken, and how a mistake is named.

#![allow(clippy::unwrap_used, reason = "how a test fails")]

use std::time::Duration;

use shared::limits::{CACHE_TAG_BYTES_MAX, ID_BYTES_MAX};

use crate::origins::{Origin, OriginHost};
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
    let Origin::Http(origin) = &settings.origin else { panic!("an HTTP origin") };
    assert_eq!(origin.host, OriginHost::Variable("settings_host".to_owned()));
}

#[test]
fn defaults_are_filled_in() {
    let resource = one("path = \"a/{x}\"\nfresh = \"1s\"\nsql.query = \"SELECT {x}\"").unwrap();
    assert_eq!(resource.key.fill(&["v".to_owned()], push_plain), "a:v");
    assert_eq!((resource.access, resource.times.stale), (Access::Scope, None));
}

#[test]
fn mistakes_have_a_line_and_a_name() {
    let valid = "[[resource]]\npath = \"a\"\nfresh = \"1s\"\nsql.query = \"SELECT 1\"\n";
    assert!(Resources::parse(valid).is_ok());
    for (text, line, named) in [
        ("[[resource]]\npath = \"a\"\nfresh = \"1s", 3, "invalid"),
        ("[[resource]]\npath = 7\n", 2, "`path` must be a string"),
        ("[[resource]]\nfresh = \"1s\"\n", 1, "`path` is missing"),
        ("\n[[resource]]\npath = \"a\"\nsql.query = \"x\"\n", 2, "`fresh` is missing"),
        ("[[resource]]\npath = \"a\"\nfresh = \"1 hour\"\n", 3, "`fresh` must be a time"),
        ("[[resource]]\npath = \"a\"\nfresh = \"99d\"\n", 3, "`fresh` must be at most"),
        ("[[resource]]\npath = \"a\"\nfresh = \"1s\"\n", 1, "needs one source"),
        ("resources = []\n", 1, "`resources` is not a known field"),
        ("[resource]\npath = \"a\"\n", 1, "[[resource]]"),
    ] {
        let problem = mistake(text);
        assert!(problem.starts_with(&format!("line {line}: ")), "{text}: {problem}");
        assert!(problem.contains(named), "{text}: {problem}");
    }
    let unknown = format!("{valid}frehs = \"1s\"\n");
    assert_eq!(mistake(&unknown), "line 5: `frehs` is not a known field");
    let twice = format!("{valid}{valid}");
    assert!(mistake(&twice).contains("also matched by \"a\""), "{}", mistake(&twice));
    let same_key = format!("{valid}{}key = \"a\"\n", valid.replace("\"a\"", "\"b\""));
    assert!(mistake(&same_key).contains("`key` may be the same"), "{}", mistake(&same_key));
}

#[test]
fn what_would_be_unsafe_is_refused() {
    let rest = "fresh = \"1s\"\nsql.query = \"SELECT 1\"";
    for (fields, named) in [
        ("path = \"a/{x}\"\nkey = \"a\"", "`key` must hold {x}"),
        ("path = \"a/{x}/{y}\"\nkey = \"a:{x}{y}\"", "\":\" between two parameters"),
        ("path = \"a/{x}\"\nkey = \"{x}\"", "must begin with fixed text"),
        ("path = \"a\"\nkey = \"user:1:token\"", "another capability"),
        ("path = \"a\"\nkey = \"bw:x\"", "another capability"),
        ("path = \"a/{x}\"\nkey = \"notifications:{x}\"", "another capability"),
        ("path = \"a\"\nkey = \"online_users\"", "another capability"),
        ("path = \"a\"\nkey = \"a b\"", "`key` contains"),
        ("path = \"{x}\"", "must begin with a name"),
        ("path = \"a/{x}/{x}\"", "twice"),
        ("path = \"a//b\"", "empty segment"),
        ("path = \"a/x{y}\"", "contains"),
        ("path = \"invalidate\"", "invalidate"),
        ("path = \"a\"\naccess = \"subject:x\"", "no parameter"),
        ("path = \"a\"\naccess = \"everyone\"", "must be public"),
        ("path = \"a\"\ntags = [\"{x}\"]", "no parameter"),
        ("path = \"a/{x}\"\ntags = [\"{x}:{x}:{x}:{x}\"]", "may have 515 bytes"),
        ("path = \"a\"\nbytes_max = 999999999", "`bytes_max` must be from 1"),
    ] {
        let problem = one(&format!("{fields}\n{rest}")).expect_err(fields);
        assert!(problem.contains(named), "{fields}: {problem}");
    }
}

#[test]
fn whatever_a_parameter_makes_of_a_tag_is_a_tag() {
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
fn no_parameter_gets_near_a_host() {
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
fn a_key_is_told_from_one_that_looks_alike() {
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
