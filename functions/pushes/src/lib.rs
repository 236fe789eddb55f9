//! Pushes, for the workers that send them: which are due, to which devices, and what came of them.
//! Every decision who gets a push is made here; a worker only sends. Also the public key of Web
//! Push, and test pushes.

mod addresses;
mod claim;
mod decision;
mod key;
mod prune;
mod responses;
mod routes;
mod settle;
mod test_push;

use runtime::{Code, Error, Response};

runtime::component!(crate::routes::route);

/// Answers 200 with addresses and other things that no cache may keep.
fn answer(body: &impl serde::Serialize) -> Result<Response, Error> {
    let body = serde_json::to_string(body)
        .map_err(|_| Error::new(Code::Internal, "the answer cannot be written"))?;
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}
