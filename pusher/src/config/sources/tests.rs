//! The sample file, and the printed settings.

use clap::CommandFactory as _;
use native::settings::sample;

use super::*;
use crate::config::tests::Files;

const SAMPLE: &str = include_str!("../../../../docs/push.example.toml");

#[test]
fn the_sample_holds_every_setting_with_its_default() {
    sample::check(SAMPLE, &Cli::command()).unwrap();
}

#[test]
fn settings_are_shown_with_their_sources_and_without_passwords() {
    let files = Files::new();
    let file = files.write("push.toml", "in_flight = 7\nredis_url = \"redis://u:hunter2@r/1\"\n");
    let mut arguments = vec!["bellwire-push".to_owned(), "check-config".to_owned()];
    arguments.extend(files.arguments());
    arguments.push(format!("--config={}", file.display()));
    let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    let settings = read(&arguments).unwrap();
    let Some(crate::config::flags::Command::CheckConfig(args)) = &settings.cli.command else {
        panic!("not check-config");
    };
    let shown = show(&settings, &Config::new(args).unwrap(), Some("BKey"));
    for line in [
        format!("in_flight = 7  # {}:1", file.display()),
        "connections_per_host = 4  # default".to_owned(),
        "vapid_subject = \"mailto:ops@example.com\"  # flag".to_owned(),
        "# apns_key is not set".to_owned(),
        "# results in: Web Push".to_owned(),
        "# the functions' variable vapid_public_key must be BKey".to_owned(),
    ] {
        assert!(shown.lines().any(|known| known == line), "{line}\n{shown}");
    }
    assert!(shown.contains("redis://u:***@r/1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn variables_of_the_hub_are_not_ours() {
    let settings = read(&["bellwire-push".into()]).unwrap();
    let names = ["BELLWIRE_HUB_LISTEN", "BELLWIRE_FUNCTIONS_URL", "BELLWIRE_PUSH_IN_FLIHGT"];
    let unknown = settings.unknown_variables(names.into_iter().map(str::to_owned));
    assert_eq!(unknown, ["BELLWIRE_PUSH_IN_FLIHGT"]);
}
