//! Pushes, for the workers that send them: which are due, to which devices, and what came of them.
//! Every decision who gets a push is made here; a worker only sends. Also the public key of Web Push,
//! and test pushes.

mod addresses;
mod claim;
mod decision;
mod key;
mod prune;
mod responses;
mod routes;
mod settle;
mod test_push;

runtime::component!(crate::routes::route);
