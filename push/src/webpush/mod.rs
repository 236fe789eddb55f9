//! Web Push (RFC 8030): endpoints, encryption (RFC 8291), VAPID (RFC 8292), headers, and what an
//! answer means.

mod address;
mod answer;
mod encrypt;
mod endpoint;
mod payload;
mod vapid;

pub use address::is_public;
pub use answer::classify;
pub use encrypt::{Keys, encrypt};
pub use endpoint::{Allowed, Endpoint, EndpointError};
pub use payload::{headers, text};
pub use vapid::{Vapid, check_subject};
