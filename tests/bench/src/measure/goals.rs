//! Goals, and whether they were met, in words.

/// A goal and whether it was met.
pub fn verdict(what: &str, ratio: f64, goal: f64) -> String {
    let word = if ratio >= goal { "met" } else { "MISSED" };
    format!("{what}: {ratio:.2}, goal ≥ {goal}: {word}.")
}

/// A goal that must not be exceeded, and whether it was met.
pub fn verdict_below(what: &str, ratio: f64, goal: f64) -> String {
    let word = if ratio < goal { "met" } else { "MISSED" };
    format!("{what}: {ratio:.2}, goal < {goal}: {word}.")
}
