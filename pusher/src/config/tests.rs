use std::path::PathBuf;

use clap::Parser as _;
use push::Es256;

use super::*;
use crate::config::flags::Cli;

/// The files that a valid configuration names.
pub(super) struct Files(tempfile::TempDir);

impl Files {
    pub(super) fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("token", "a.b.c\n");
        files.write("vapid.pem", Es256::generate().unwrap().expose());
        files
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Valid arguments, with Web Push.
    pub(super) fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        vec![
            "--functions-url=http://f:3000/".to_owned(),
            format!("--functions-token-file={}", path("token")),
            format!("--vapid-key={}", path("vapid.pem")),
            "--vapid-subject=mailto:ops@example.com".to_owned(),
        ]
    }
}

fn config(arguments: &[String], more: &[&str]) -> Result<Config> {
    let program = ["bellwire-push"].into_iter().map(str::to_owned);
    let more = more.iter().map(|&text| text.to_owned());
    let all: Vec<String> = program.chain(arguments.iter().cloned()).chain(more).collect();
    Config::new(&Cli::try_parse_from(all)?.serve)
}

#[test]
fn a_service_and_the_functions_are_enough() {
    let files = Files::new();
    let config = config(&files.arguments(), &[]).unwrap();
    assert_eq!(config.functions.base, "http://f:3000");
    assert!(config.sender.webpush.is_some());
    assert!(config.sender.fcm.is_none() && config.sender.apns.is_none());
    assert!(!config.sender.is_development && config.metrics.listen.is_none());
}

#[test]
fn errors_name_the_setting() {
    let files = Files::new();
    let arguments = files.arguments();
    let problem = |arguments: &[String], more: &[&str]| {
        format!("{:#}", config(arguments, more).expect_err("a refused configuration"))
    };
    assert!(problem(&[], &[]).contains("BELLWIRE_PUSH_FUNCTIONS_URL"));
    assert!(problem(&arguments[..2], &[]).contains("no service is configured"));
    assert!(problem(&arguments[..3], &[]).contains("BELLWIRE_PUSH_VAPID_SUBJECT"));
    for (more, name) in [
        ("--redis-url=http://x", "BELLWIRE_PUSH_REDIS_URL"),
        ("--webpush-hosts=https://a.example", "BELLWIRE_PUSH_WEBPUSH_HOSTS"),
        ("--fcm-origin=http://localhost:1", "BELLWIRE_PUSH_FCM_SERVICE_ACCOUNT"),
        ("--apns-key=/x", "BELLWIRE_PUSH_APNS_KEY"),
        ("--metrics-listen=here", "BELLWIRE_PUSH_METRICS_LISTEN"),
    ] {
        let problem = problem(&arguments, &[more]);
        assert!(problem.contains(name), "{more}: {problem}");
    }
    let fcm = ["--fcm-service-account=/x", "--fcm-origin=http://localhost:1"];
    assert!(problem(&arguments, &fcm).contains("--development"));
    let missing =
        problem(&["--functions-token-file=/nowhere".to_owned()], &["--functions-url=http://f"]);
    assert!(missing.contains("FUNCTIONS_TOKEN_FILE") && missing.contains("/nowhere"), "{missing}");
    let subject = [&arguments[..3], &["--vapid-subject=mailto:a@localhost".to_owned()]].concat();
    assert!(problem(&subject, &[]).contains("VAPID_SUBJECT"));
}

#[test]
fn development_is_quick_and_allows_this_machine() {
    let files = Files::new();
    let config = config(&files.arguments(), &["--development"]).unwrap();
    assert!(config.sender.is_development);
    assert!(config.sender.deadline < push::sender::Config::default().deadline);
    assert!(config.pace.block_lease_ms < CAMPAIGN_LEASE_MS);
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let files = Files::new();
    files.write("vapid.pem", "no key");
    let config = config(&files.arguments(), &[]).unwrap();
    let problem = push::Sender::new(config.sender).await.err().unwrap().to_string();
    assert!(problem.contains("vapid.pem") && problem.contains("no private key"), "{problem}");
}
