//! Reads request bodies within a size limit and a deadline: Spin has neither.

use std::time::Duration;

use shared::{Code, Error};
use spin_sdk::wasip3::http::types::Request;
use spin_sdk::wasip3::wit_bindgen::StreamResult;
use spin_sdk::wasip3::wit_future;

use super::deadline::within;
use crate::http::{ReadBody, ReadingBody};

const CHUNK_BYTES: usize = 16 * 1024;
/// Longest time for a body. A client that needs longer is broken or hostile.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// The body of a request from the host.
pub(crate) struct HostBody(Request);

impl ReadBody for HostBody {
    fn read(self: Box<Self>, bytes_max: usize, declared: Option<u64>) -> ReadingBody {
        Box::pin(async move {
            let body = within(BODY_DEADLINE, self.collect(bytes_max, declared)).await;
            body.unwrap_or_else(|| {
                Err(Error::new(Code::BadJson, "the body did not arrive in time"))
            })
        })
    }
}

impl HostBody {
    /// The body of `request`.
    pub(crate) fn new(request: Request) -> Self {
        Self(request)
    }

    async fn collect(
        self,
        bytes_max: usize,
        declared: Option<u64>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (_result, result_reader) = wit_future::new(|| Ok(()));
        let (mut stream, trailers) = Request::consume_body(self.0, result_reader);
        let mut body: Vec<u8> = Vec::new();
        loop {
            let (result, chunk) = stream.read(Vec::with_capacity(CHUNK_BYTES)).await;
            if body.len() + chunk.len() > bytes_max {
                return Ok(None);
            }
            if body.is_empty() {
                body = chunk;
            } else {
                body.extend_from_slice(&chunk);
            }
            if declared.is_some_and(|bytes| bytes == body.len() as u64) {
                return Ok(Some(body));
            }
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        drop(stream);
        match trailers.await {
            Ok(_) => Ok(Some(body)),
            Err(_) => Err(Error::new(Code::BadJson, "the body is incomplete")),
        }
    }
}
