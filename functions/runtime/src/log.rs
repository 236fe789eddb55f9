//! Structured logs: one JSON object a line on standard error.
//!
//! The event is a fixed word; everything that varies goes into fields. Each error is logged once,
//! by the code that handles it. Secrets, bodies and user ids are never logged.

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
    eprintln!("{}", serde_json::Value::Object(line));
}
