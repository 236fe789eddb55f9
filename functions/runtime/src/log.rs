//! Structured logs: one JSON object a line on standard error.
//!
//! The event is a fixed word; everything that varies goes into fields. Each error is logged once,
//! by the code that handles it. Secrets, bodies and user ids are never logged.

use std::io::Write as _;

/// Logs an event that an operator may want to know about.
pub fn warn(event: &str, fields: &[(&str, &str)]) {
    write("warn", event, fields);
}

/// Logs an event that an operator must look into.
pub fn error(event: &str, fields: &[(&str, &str)]) {
    write("error", event, fields);
}

fn write(level: &str, event: &str, fields: &[(&str, &str)]) {
    let mut line = serde_json::Map::new();
    line.insert("level".to_owned(), level.into());
    line.insert("event".to_owned(), event.into());
    for (name, value) in fields {
        line.insert((*name).to_owned(), (*value).into());
    }
    let line = format!("{}\n", serde_json::Value::Object(line));
    // Spin writes it to a file. `eprintln!` would end the instance once the disk is full.
    std::io::stderr().write_all(line.as_bytes()).ok();
}
