//! The number of a request, by which its answer and its lines in the log are found.

use std::fmt;

use http::Request;

/// Names a request in the log and in its answer.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(u64);

impl RequestId {
    pub fn random() -> Self {
        Self(fastrand::u64(..))
    }

    /// That of a request on its way through a router.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        request.extensions().get().copied().unwrap_or_else(Self::random)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
