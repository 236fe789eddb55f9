//! The messages of the hub, as far as a watch understands them.

use serde::Deserialize;
use serde_json::Value;

/// A message; unknown types and members are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Frame {
    #[serde(rename = "type")]
    pub kind: String,
    pub epoch: Option<String>,
    pub seq: u64,
    pub unread: Option<u64>,
    pub reason: Option<String>,
    pub notification: Value,
    pub up_to: Option<u64>,
    pub ids: Option<Vec<String>>,
    pub all: bool,
    pub after_ms: Option<u64>,
}

impl Frame {
    /// A message; an unknown one if it makes no sense.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// A text of the notification; empty if it has none.
    pub fn text(&self, name: &str) -> String {
        match &self.notification[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}
