//! Whether the functions offer every call that this command makes.

use serde_json::Value;

use super::fix;
use super::look::{Look, Server, get};
use super::part::Part;
use super::report::Findings;
use crate::failure::Outcome;

/// The calls of this command, as docs/openapi.json names them.
const CALLS: [&str; 24] = [
    "delete /cache/{resource}",
    "delete /campaigns/{campaign}",
    "get /cache/{resource}",
    "get /campaigns/{campaign}",
    "get /campaigns/{campaign}/push",
    "get /presence",
    "get /queues",
    "get /queues/{queue}",
    "get /queues/{queue}/dead",
    "get /stats",
    "get /users/{user}/devices",
    "get /users/{user}/notifications",
    "post /cache/invalidate",
    "post /campaigns/{campaign}/push/pause",
    "post /campaigns/{campaign}/users",
    "post /notifications",
    "post /presence",
    "post /queues/{queue}/ack",
    "post /queues/{queue}/messages",
    "post /queues/{queue}/nack",
    "post /queues/{queue}/receive",
    "post /queues/{queue}/redrive",
    "post /users/{user}/notifications/read",
    "put /campaigns/{campaign}/push",
];

pub async fn check(look: &Look<'_>) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let answer = look.api(Server::Functions, None)?.send(get("/openapi.json")).await;
    match answer.and_then(|answer| answer.json::<Value>()) {
        Ok(document) => compare(&document, &mut findings),
        Err(failure) => {
            findings.unchecked(Part::Functions, "contract", &failure, fix::of(&failure));
        }
    }
    Ok(findings)
}

fn compare(document: &Value, findings: &mut Findings) {
    let check = "contract";
    let version = document["info"]["version"].as_str().unwrap_or("unknown");
    let own = env!("CARGO_PKG_VERSION");
    let missing = missing(document);
    if !missing.is_empty() {
        let detail = format!("version {version} of the API has no {}", missing.join(", "));
        let fix = format!("this command is of version {own}: use the one of the installation");
        return findings.wrong(check, detail, &fix);
    }
    if version != own {
        let detail = format!("the API has version {version}, this command {own}");
        return findings.warning(check, detail, "use the command of the installation");
    }
    findings.ok(check, format!("version {version}, with every call of this command"));
}

fn missing(document: &Value) -> Vec<&'static str> {
    let is_there = |call: &&str| {
        let (method, path) = call.split_once(' ').unwrap_or_default();
        document["paths"][path][method].is_object()
    };
    CALLS.into_iter().filter(|call| !is_there(call)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_call() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let document: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(missing(&document), Vec::<&str>::new());
        assert_eq!(missing(&Value::Null).len(), CALLS.len());
    }
}
