//! Apple Push Notification service: payload and headers of a request, the provider token, and what an
//! answer means.

mod answer;
mod payload;
mod token;

pub use answer::classify;
pub use payload::{Environment, body, headers, path};
pub use token::ProviderToken;
