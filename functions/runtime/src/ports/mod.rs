//! The two stores that the mechanisms are written against, as traits: [`redis`] and [`sql`]. `spin`
//! implements them on the host, the tests on native clients.

pub mod redis;
pub mod sql;
