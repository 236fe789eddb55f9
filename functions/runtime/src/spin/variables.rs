//! Variables of the manifest.

/// The value of a declared variable.
///
/// # Errors
/// The host's words for why there is none.
pub async fn get(name: &str) -> Result<String, String> {
    spin_sdk::variables::get(name).await.map_err(|error| error.to_string())
}
