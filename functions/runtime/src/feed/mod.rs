//! The Redis feed of a user, kept in step with the record: entries are pushed and published in order
//! ([`delivery`]), read marks follow ([`marks`]), and what Redis missed is delivered later, by the
//! instance itself ([`retry`]) or by the relay ([`relay`]).

pub mod delivery;
pub mod marks;
mod push_script;
pub mod relay;
pub mod retry;
