//! Unknown fields, and the fields that are known.

use super::mistake;
use crate::Resources;
use crate::field_names::{HTTP, RESOURCE, SQL};

#[test]
fn an_unknown_field_is_named_before_what_is_missing() {
    for (fields, line, problem) in [
        ("frsh = \"60s\"", 3, "\"frsh\": did you mean \"fresh\"?"),
        ("fresh = \"1s\"\ncooldown = 5", 4, "\"cooldown\": did you mean \"cool_down\"?"),
        ("[resource.sql]\nquary = \"x\"", 4, "\"sql.quary\": did you mean \"sql.query\"?"),
        ("http = { ulr = \"http://x/\" }", 3, "\"http.ulr\": did you mean \"http.url\"?"),
        ("http.max = 1", 3, "\"http.max\": the fields are url, honour_cache_control, headers"),
        ("url = \"http://x/\"", 3, "\"url\": write it directly below [resource.http]"),
        (
            "honor_cache_control = true",
            3,
            "\"honor_cache_control\": did you mean \"honour_cache_control\", directly below \
             [resource.http]?",
        ),
        (
            "http = { frsh = \"1s\" }",
            3,
            "\"http.frsh\": did you mean \"fresh\", directly below [[resource]]?",
        ),
        // In TOML it belongs to the table above.
        (
            "[resource.sql]\nquery = \"x\"\nfresh = \"1s\"",
            5,
            "\"sql.fresh\": write it directly below [[resource]]",
        ),
        // The first in the file, although another one is first in the alphabet.
        (
            "zzz = 1\naaa = 1",
            3,
            "\"zzz\": the fields are path, key, tags, access, fresh, stale, error, absent, \
             cool_down, timeout, soft_timeout, local, bytes_max, sql, http",
        ),
    ] {
        let text = format!("[[resource]]\npath = \"a\"\n{fields}\n");
        let expected = format!("line {line}: unknown field {problem} (resource \"a\")");
        assert_eq!(mistake(&text), expected);
    }
}

#[test]
fn an_unknown_field_is_named_where_the_resource_has_no_name() {
    for (text, expected) in [
        ("[[resource]]\npth = \"a\"\n", "line 2: unknown field \"pth\": did you mean \"path\"?"),
        (
            "[[resources]]\npath = \"a\"\n",
            "line 1: unknown field \"resources\": did you mean \"resource\"?",
        ),
        ("path = \"a\"\n", "line 1: unknown field \"path\": write it directly below [[resource]]"),
        (
            "[[resource]]\npath = \"a\"\n[sql]\nquery = \"x\"\n",
            "line 3: unknown field \"sql\": write it as [resource.sql]",
        ),
        (
            "[http]\nurl = \"http://x/\"\n",
            "line 1: unknown field \"http\": write it as [resource.http]",
        ),
        (
            "title = \"x\"\n",
            "line 1: unknown field \"title\": only [[resource]] tables may be here",
        ),
    ] {
        assert_eq!(mistake(text), expected);
    }
}

#[test]
fn a_mistake_in_a_value_names_the_resource() {
    let problem = mistake("[[resource]]\npath = \"a/{x}\"\nkey = \"a\"\nfresh = \"1s\"\n");
    assert!(problem.starts_with("line 3: `key` must contain {x}"), "{problem}");
    assert!(problem.ends_with(" (resource \"a/{x}\")"), "{problem}");
}

/// A name that nothing reads would be accepted without an effect. No field takes this value.
#[test]
fn every_known_field_is_read() {
    let http = ["path = \"a\"", "fresh = \"1s\"", "http.url = \"http://x/\""];
    let sql = ["path = \"a\"", "fresh = \"1s\"", "sql.query = \"SELECT 1\""];
    let of_resource = RESOURCE.iter().map(|name| ((*name).to_owned(), http));
    let of_sql = SQL.iter().map(|name| (format!("sql.{name}"), sql));
    let of_http = HTTP.iter().map(|name| (format!("http.{name}"), http));
    for (name, base) in of_resource.chain(of_sql).chain(of_http) {
        let is_other = |line: &&str| !line.starts_with(&name);
        let mut lines: Vec<&str> = base.into_iter().filter(is_other).collect();
        let wrong = format!("{name} = 1.5");
        lines.push(&wrong);
        let text = format!("[[resource]]\n{}\n", lines.join("\n"));
        let problem = mistake(&text);
        assert!(problem.contains(&format!("`{name}` must be")), "{text}: {problem}");
    }
    let all = "[[resource]]\n".to_owned() + &http.join("\n");
    assert!(Resources::parse(&all).is_ok());
}
