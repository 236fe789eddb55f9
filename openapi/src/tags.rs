//! The capabilities, as sections of the document and of the page.

use serde_json::{Value, json};

/// Name and description, in the order of the page.
pub const ALL: [(&str, &str); 9] = [
    ("notifications", "Creating notifications."),
    ("feed", "The notifications of a user."),
    ("cache", "Cached resources, refreshed in the background."),
    ("tokens", "Push tokens, devices and preferences of users."),
    ("push", "Pushes to the devices of users."),
    ("campaigns", "Lists of users, each of whom is handed out once."),
    ("queues", "Work queues with visibility timeouts and dead letters."),
    ("presence", "Which users are online."),
    ("ops", "Health, administration and statistics."),
];

/// `tags` of the document, in alphabetical order.
pub fn to_json() -> Value {
    let mut all = ALL;
    all.sort_unstable();
    all.into_iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect()
}
