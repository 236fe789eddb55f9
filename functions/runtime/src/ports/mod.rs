//! The two stores of the mechanisms as traits: [`redis`] and [`sql`]. [`crate::spin`] implements
//! them on the host, tests implement them on native clients.

pub mod redis;
pub mod sql;
