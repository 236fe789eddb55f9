//! A Redis user with the permissions of `shared::permissions`, and no others, is refused nothing.

use std::collections::BTreeMap;

use shared::{keys, permissions};

use super::{Bench, Case, caches, words};
use crate::faults::moving;

impl Bench {
    /// The permissions of the case's caller. Names of queues and of cached values are the
    /// installation's own, and not listed.
    async fn permit_listed(&self, case: &Case) {
        let is_own =
            |key: &&String| !keys::is_reserved(key) && *key != keys::NOTIFICATION_RESPONSES;
        let mut own: Vec<String> =
            case.call.keys.iter().filter(is_own).map(|key| format!("~{key}")).collect();
        own.push(format!("~{}", caches::ELSEWHERE));
        let (mut keyless, mut on_keys) = (Vec::new(), BTreeMap::<&str, Vec<String>>::new());
        let lines = permissions::of_caller(case.call.script, false);
        for line in lines.lines() {
            let (key, commands) = line.split_once(' ').unwrap();
            for command in commands.split(' ') {
                if key == "-" {
                    keyless.push(format!("+{command}"));
                    continue;
                }
                // Words may follow the braces, such as a random one.
                let end = if key.ends_with('}') { "*" } else { "" };
                let on = on_keys.entry(command).or_insert_with(|| own.clone());
                on.extend([format!("~{key}{end}"), format!("&{key}")]);
            }
        }
        let mut rules = words(&["ACL", "SETUSER", "worker", "reset", "on", "nopass", "(~* +EVAL)"]);
        rules.extend(keyless);
        // By command, since one may have keys of several lines.
        rules.extend(on_keys.iter().map(|(name, on)| format!("({} +{name})", on.join(" "))));
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        self.redis.run_words::<()>(&rules).await;
    }

    /// Fails unless the case is answered as with all permissions.
    pub(super) async fn check_listed(&self, case: &Case, answer: &str) {
        self.prepare(case).await;
        self.permit_listed(case).await;
        let told = self.eval(&case.call, 1, false).await;
        let is_same = told.as_deref() == Ok(answer) || (case.is_answer_free && told.is_ok());
        let (script, name) = (case.call.script.name, case.name);
        assert!(is_same, "{script}, {name}: {told:?}: see shared/src/permissions.rs");
        self.permit().await;
    }
}

#[tokio::test]
async fn the_listed_permissions_are_all_that_a_script_needs() {
    let bench = Bench::start().await;
    for case in moving::cases() {
        bench.prepare(&case).await;
        let answer = bench.eval(&case.call, 1, true).await.unwrap();
        bench.check_listed(&case, &answer).await;
    }
    bench.redis.run::<()>("FLUSHALL").await;
}
