//! Schemathesis: valid and invalid requests generated from `docs/openapi.json`, and checks of their
//! answers. `scripts/openapi-tools schemathesis` installs it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::paths::workspace;
use crate::process::Process;

/// Extra time for its start and end, on a busy machine.
const MARGIN: Duration = Duration::from_secs(180);

/// One run of Schemathesis.
pub struct Schemathesis {
    url: String,
    token: Option<String>,
    seconds: u64,
    arguments: Vec<String>,
}

impl Schemathesis {
    /// A run against the functions at `url`, for `seconds`.
    pub fn against(url: &str, seconds: u64) -> Self {
        Self { url: url.to_owned(), token: None, seconds, arguments: Vec::new() }
    }

    /// Sends a token with every request, except for those that test for a missing token.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Runs until its time is over or it finds an error, which fails the test.
    pub async fn run(self) {
        let pins = workspace().join("tests/openapi");
        let mut command = Command::new(program());
        command.arg("--config-file").arg(pins.join("schemathesis.toml"));
        let dir = tempfile::tempdir().unwrap();
        let document = dir.path().join("openapi.json");
        std::fs::write(&document, strict().to_string()).unwrap();
        command.arg("run").arg(&document);
        command.args(["--url", &self.url, "--no-color"]);
        command.args(["--max-time", &self.seconds.to_string()]);
        if let Some(token) = &self.token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        command.args(&self.arguments).current_dir(workspace().join("target/schemathesis"));
        let mut process = Process::start("schemathesis", &mut command);
        let status = process.ended(Duration::from_secs(self.seconds) + MARGIN).await;
        assert!(status.success(), "schemathesis: {status}\n{}", process.output());
    }
}

/// The document, with a schema `Json` that allows no U+0000: the one in `docs` cannot say so, and a
/// request made up from it would be rejected. Receives do not wait for messages, which would take
/// most of the time.
fn strict() -> Value {
    let path = workspace().join("docs/openapi.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let receive = document.pointer_mut("/components/schemas/ReceiveRequest/properties");
    receive.unwrap().as_object_mut().unwrap().remove("waitSeconds").expect("it is documented");
    let itself = json!({"$ref": "#/components/schemas/Json"});
    let plain = json!({"type": "string", "pattern": r"^[^\x00]*$"});
    let json = document.pointer_mut("/components/schemas/Json").unwrap();
    *json = json!({"anyOf": [
        {"type": ["null", "boolean", "number"]},
        plain,
        {"type": "array", "items": itself},
        {"type": "object", "additionalProperties": itself, "propertyNames": plain},
    ]});
    document
}

fn program() -> PathBuf {
    let program = workspace().join("target/schemathesis/venv/bin/schemathesis");
    let install = "scripts/openapi-tools schemathesis";
    assert!(program.is_file(), "{} is missing: run `{install}` first", program.display());
    program
}
