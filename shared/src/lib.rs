//! Code shared by the functions, the hub and the tests. No I/O, no clock and no randomness: time
//! and random values are arguments, so that everything can be tested natively and behaves the same
//! in WASM.

pub mod auth;
pub mod campaign;
pub mod campaign_push;
pub mod close;
pub mod cluster;
pub mod device;
pub mod digest;
pub mod error;
pub mod etag;
pub mod feed;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod live;
pub mod notification;
pub mod path;
pub mod permissions;
pub mod preferences;
pub mod push;
pub mod script;
pub mod template;
pub mod time;
pub mod time_zone;
pub mod trace;
pub mod wire;

pub use close::CloseCode;
pub use error::{Code, Error};
pub use ids::{CampaignId, DeviceName, QueueName, UserId};
pub use preferences::Preferences;
pub use push::PushToken;
