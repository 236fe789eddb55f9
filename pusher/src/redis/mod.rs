//! What the worker does with Redis: campaigns, test pushes and wake-ups. The record's jobs do not
//! need it.

mod scripts;
mod wake;

pub(crate) use scripts::Store;
pub(crate) use wake::wake;
