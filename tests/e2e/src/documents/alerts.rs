//! `deploy/alerts.yml` against what documents it, tests it, and exports its metrics. That the pages of
//! hub and push worker have the metrics, tests beside their pages show; `promtool` runs the rules.

use std::collections::BTreeSet;

use support::paths::workspace;
use support::{Functions, RedisServer, metrics_page, token};

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap()
}

/// What stands behind `key:` in the lines of a file, in order.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let start = format!("{key}: ");
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(&*start)).collect()
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let (alerts, incidents) = (read("deploy/alerts.yml"), read("docs/incidents.md"));
    let names = values(&alerts, "alert");
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert!(unique.len() == names.len() && names.len() > 30, "{names:?}");
    let pages = incidents.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(pages.collect::<Vec<_>>(), names, "in the order of the alerts");
    for (name, url) in names.iter().zip(values(&alerts, "runbook_url")) {
        assert_eq!(url, format!("docs/incidents.md#{}", name.to_lowercase()));
    }
}

#[test]
fn every_page_says_what_users_see_how_to_confirm_it_and_what_to_do() {
    let incidents = read("docs/incidents.md");
    for page in incidents.split("\n## ").skip(1) {
        let name = page.lines().next().unwrap();
        let mut rest = page;
        // What to do may depend on what was found, and be a table's column.
        let to_do = if page.contains("| do |") { "| do |" } else { "\n**Do** " };
        for part in ["\n**Users** ", "\n**Confirm**", to_do, "\n**Lost** "] {
            let place = rest.find(part);
            let place = place.unwrap_or_else(|| panic!("{name}: no {}", part.trim()));
            rest = &rest[place..];
        }
    }
}

#[test]
fn every_alert_is_tested_both_ways() {
    let (alerts, tests) = (read("deploy/alerts.yml"), read("deploy/alerts.test.yml"));
    let cases: BTreeSet<&str> = values(&tests, "name").into_iter().collect();
    for name in values(&alerts, "alert") {
        assert!(cases.contains(name), "{name} is not tested");
        assert!(cases.contains(format!("{name} is quiet").as_str()), "{name} always fires");
    }
}

#[test]
fn severities_and_jobs_are_those_that_are_explained() {
    let (alerts, example) = (read("deploy/alerts.yml"), read("deploy/prometheus.yml"));
    for labels in values(&alerts, "labels") {
        assert!(["{severity: page}", "{severity: ticket}"].contains(&labels), "{labels}");
    }
    let jobs: BTreeSet<&str> = values(&example, "job_name").into_iter().collect();
    let named = alerts.split("job=\"").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(named.collect::<BTreeSet<_>>(), jobs);
}

#[tokio::test]
async fn the_functions_export_what_documents_alerts_and_dashboard_name() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let sent = functions.post("/queues/mails/messages", r#"{"messages":[1]}"#);
    sent.token(&token("svc", "queues:write")).send().await.expect(200);
    let call = functions.get("/metrics?queues=mails").token(&token("prometheus", "ops:read"));
    let answer = call.send().await.expect(200);
    let page = answer.text();
    let documented = metrics_page::has_the_documented(page, "bellwire_functions_");
    let alerted = metrics_page::has_the_alerts(page, "bellwire_functions_");
    let shown = metrics_page::has_the_dashboards(page, &["bellwire_functions_"]);
    assert!(documented > 5 && alerted > 8 && shown > 8, "{documented} {alerted} {shown}");
}
