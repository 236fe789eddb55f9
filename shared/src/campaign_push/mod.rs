//! A campaign's push as worker and Redis see it: the calls of the scripts `push_*.lua`, and their
//! replies. No I/O: a [`Call`] says what to send, and a reply is the flat array of Redis as bytes.
//!
//! How a worker goes through a campaign:
//!
//! 1. [`index::list`] names the campaigns under way; [`index::touch`] keeps one there, and
//!    [`index::drop`] removes one for which a claim says that nothing will come.
//! 2. [`Claim::new`], [`Claim::call`], [`Claim::answered`]: a [`Block`] of users who are this
//!    worker's for 30 s, or the time to wait. Several claims of one campaign may be under way.
//! 3. [`Block::settle`] notes what became of each user.
//! 4. Every 100 ms, and at the latest every 10 s, [`Block::settlement`] gives the calls that tell
//!    Redis so and renew the block lease, and [`Block::answered`] takes the reply. A call that
//!    failed is sent again unchanged; `settlement` returns the same one until it is answered.
//!
//! All calls may be repeated. A campaign's keys are in one hash slot, its responses in another one,
//! the index in a third: no call needs two of them.

mod block;
mod claim;
pub mod index;
mod item;
mod options;
pub mod progress;
mod settlement;

pub use block::{Block, End};
pub use claim::{Claim, Claimed, State};
pub use item::Item;
pub use options::{Doubt, Options, Responses, When};
pub use settlement::{PauseReason, Settled, Settlement};

use crate::script::Script;

/// A script with its keys and arguments, for `EVALSHA`.
#[derive(Clone)]
pub struct Call {
    pub script: &'static Script,
    pub keys: Vec<String>,
    pub args: Vec<Vec<u8>>,
}

impl Call {
    fn new(script: &'static Script, keys: impl Into<Vec<String>>) -> Self {
        Self { script, keys: keys.into(), args: Vec::new() }
    }

    fn arg(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string().into_bytes());
        self
    }
}

/// A reply that violates the script's contract, which its header states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} gave a malformed reply")]
pub struct Malformed(pub &'static str);

fn text(part: Option<&Vec<u8>>) -> Option<&str> {
    std::str::from_utf8(part?).ok()
}

fn number(part: Option<&Vec<u8>>) -> Option<i64> {
    text(part)?.parse().ok()
}

#[cfg(test)]
mod tests;
