//! Firebase Cloud Messaging, HTTP v1: the body of a request, and what an answer means.

mod answer;
mod payload;

pub use answer::classify;
pub use payload::{Send, body};

/// The path of a project's send call.
///
/// # Errors
/// `project` is not a project id.
pub fn path(project: &str) -> Result<String, &'static str> {
    let is_valid = (1..=64).contains(&project.len())
        && project.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b));
    if !is_valid {
        return Err("project_id is invalid");
    }
    Ok(format!("/v1/projects/{project}/messages:send"))
}
