//! The variables of the manifest.

use spin_sdk::variables::Error;

/// The value of a variable; `None` if the manifest does not give it to this component.
///
/// # Errors
/// The host's text if it cannot provide the value.
pub async fn get(name: &str) -> Result<Option<String>, String> {
    match spin_sdk::variables::get(name).await {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
