use super::*;
use crate::manifest::Manifest;

fn hosts(rules: &[&str]) -> AllowedHosts {
    parse(rules, "").unwrap()
}

fn parse(rules: &[&str], redis_host: &str) -> anyhow::Result<AllowedHosts> {
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = 't'\n\
         [variables]\nredis_host = {{ default = {redis_host:?} }}\n\
         [[trigger.http]]\nroute = '/...'\ncomponent = 'a'\n[component.a]\nsource = 'a'"
    );
    let variables = Variables::new(&Manifest::parse(&manifest)?, &[], |_| None)?;
    let rules: Vec<_> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    AllowedHosts::new(&rules, &variables)
}

#[test]
fn scheme_host_and_port_must_all_match() {
    let hosts = hosts(&["redis://127.0.0.1:6380"]);
    assert!(hosts.check_url("redis://127.0.0.1:6380", "redis"));
    assert!(hosts.check_url("redis://user:p@127.0.0.1:6380/2", "redis"));
    assert!(hosts.check_url("127.0.0.1:6380", "redis"));
    assert!(!hosts.check_url("redis://127.0.0.1:6379", "redis"));
    assert!(!hosts.check_url("redis://127.0.0.1", "redis"));
    assert!(!hosts.check_url("rediss://127.0.0.1:6380", "redis"));
    assert!(!hosts.check_url("redis://localhost:6380", "redis"));
    assert!(!hosts.check_url("not an address", "redis"));
}

#[test]
fn schemes_have_default_ports() {
    let hosts = hosts(&["redis://localhost", "https://example.com"]);
    assert!(hosts.check_url("redis://localhost", "redis"));
    assert!(hosts.check_url("redis://localhost:6379", "redis"));
    assert!(hosts.check_url("https://example.com/a?b", "https"));
    assert!(!hosts.check_url("http://example.com/", "https"));
    assert!(parse(&["rediss://localhost"], "").is_err());
}

#[test]
fn wildcards_subdomains_networks_and_ranges() {
    let hosts = hosts(&["*://*:*"]);
    assert!(hosts.check_url("gopher://anything:1", "https"));
    let hosts = self::hosts(&["https://*.example.com", "tcp://10.0.0.0/8:5000..5010"]);
    assert!(hosts.check_url("https://a.b.example.com", "https"));
    assert!(!hosts.check_url("https://example.com", "https"));
    assert!(hosts.check_url("10.1.2.3:5009", "tcp"));
    assert!(!hosts.check_url("10.1.2.3:5010", "tcp"));
    assert!(!hosts.check_url("11.1.2.3:5009", "tcp"));
}

#[test]
fn ipv6_hosts_keep_their_colons() {
    let hosts = hosts(&["http://[::1]:3000", "http://[::1]"]);
    assert!(hosts.check_url("http://[::1]:3000/", "http"));
    assert!(hosts.check_url("http://[::1]/", "http"));
    assert!(!hosts.check_url("http://[::2]/", "http"));
}

#[test]
fn self_is_allowed_by_name_only() {
    assert!(hosts(&["http://self"]).check_self());
    assert!(!hosts(&["http://self"]).check_url("http://self/", "http"));
    assert!(!hosts(&["redis://self"]).check_self());
    assert!(!hosts(&[]).check_self());
}

#[test]
fn templates_are_resolved_and_empty_ones_are_skipped() {
    let rule = ["redis://{{ redis_host }}:6379"];
    assert!(parse(&rule, "db").unwrap().check_url("redis://db:6379", "redis"));
    assert!(!parse(&["{{ redis_host }}"], "").unwrap().check_url("redis://db:6379", "redis"));
    assert!(parse(&["redis://{{ nobody }}:6379"], "").is_err());
}

#[test]
fn invalid_rules_are_errors() {
    let mistakes = [
        "",
        "*",
        "example.com",
        "http://a/path",
        "http://a:1/path",
        "http://a*b",
        "http://*.*.a",
        "http://{a,b}",
        "ht-tp://a:1",
        "http://a:x",
        "http://a:99999",
    ];
    for mistake in mistakes {
        assert!(parse(&[mistake], "").is_err(), "{mistake:?}");
    }
}
