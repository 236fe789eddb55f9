//! Variables of the manifest.

use shared::{Code, Error};

use crate::log;

/// The value of a declared variable.
///
/// # Errors
/// `internal`; the log says which variable and why.
pub async fn get(name: &str) -> Result<String, Error> {
    spin_sdk::variables::get(name).await.map_err(|error| {
        log::error("variable_failed", &[("name", name), ("error", &error.to_string())]);
        Error::new(Code::Internal, "the component is not configured")
    })
}
