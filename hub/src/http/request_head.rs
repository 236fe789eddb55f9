//! Reads the head of a connection's first request, before it is decided whether the connection
//! becomes a socket, which keeps no HTTP state, or the router answers it.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use memchr::memmem;
use tokio::io::{AsyncRead, ReadBuf};

use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};

/// Bytes per read; most heads are shorter.
const CHUNK_BYTES: usize = 2048;

/// A request's head; bytes after it are not included.
#[derive(Debug)]
pub struct RequestHead {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub query: Option<String>,
    pub(crate) version: Version,
    pub headers: HeaderMap,
}

/// Why the head could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestHeadError {
    #[error("the connection ended before its request did")]
    Ended,
    #[error("the head of the request is longer than {HEADER_BYTES_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads until the head is complete; returns all bytes read and the length of the head.
///
/// # Errors
/// The head is incomplete or too long. The caller sets a deadline.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Vec<u8>, usize), RequestHeadError> {
    let mut bytes = Vec::new();
    loop {
        // Searches only new bytes and the three before them, so that a slowly arriving head costs
        // no more.
        let looked_at = bytes.len().saturating_sub(END.len() - 1);
        if poll_fn(|cx| poll_read(cx, stream, &mut bytes)).await? == 0 {
            return Err(RequestHeadError::Ended);
        }
        let new = bytes.get(looked_at..).unwrap_or_default();
        if let Some(at) = memmem::find(new, END) {
            let end = looked_at + at + END.len();
            return if end > HEADER_BYTES_MAX {
                Err(RequestHeadError::TooLarge)
            } else {
                Ok((bytes, end))
            };
        }
        if bytes.len() > HEADER_BYTES_MAX {
            return Err(RequestHeadError::TooLarge);
        }
    }
}

const END: &[u8] = b"\r\n\r\n";

/// Reads through a buffer on the stack: a silent connection keeps no memory for it.
fn poll_read(
    cx: &mut Context<'_>,
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let mut chunk = [MaybeUninit::uninit(); CHUNK_BYTES];
    let mut chunk = ReadBuf::uninit(&mut chunk);
    ready!(Pin::new(stream).poll_read(cx, &mut chunk))?;
    bytes.extend_from_slice(chunk.filled());
    Poll::Ready(Ok(chunk.filled().len()))
}

impl RequestHead {
    /// Parses a head; `None` if it is not a valid request, which the HTTP server then answers.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        // One allocation, which the header values share.
        let bytes = Bytes::copy_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        request.parse(&bytes).ok().filter(httparse::Status::is_complete)?;
        let target = origin_form(request.path?)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut map = HeaderMap::with_capacity(request.headers.len());
        for header in request.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value)).ok()?;
            map.append(name, value);
        }
        Some(Self {
            method: Method::from_bytes(request.method?.as_bytes()).ok()?,
            path: path.to_owned(),
            query,
            version: if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 },
            headers: map,
        })
    }

    /// Whether the request has a body; such a request opens no socket.
    pub(crate) fn has_body(&self) -> bool {
        use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
        let is_zero = |length: &HeaderValue| length.as_bytes() == b"0";
        self.headers.contains_key(TRANSFER_ENCODING)
            || self.headers.get_all(CONTENT_LENGTH).iter().any(|length| !is_zero(length))
    }
}

/// Path and query of a request target. Proxies may send an absolute URL (RFC 9112 §3.2.2).
fn origin_form(target: &str) -> Option<&str> {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|h| scheme.eq_ignore_ascii_case(h));
    match target.split_once("://").filter(|(scheme, _)| is_http(scheme)) {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)),
        None => Some(target).filter(|target| target.starts_with('/')),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn reads_up_to_the_empty_line_however_it_arrives() {
        let text = b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\nmore";
        for piece in [1, 3, 1000] {
            let (mut client, mut server) = tokio::io::duplex(piece);
            let writing = tokio::spawn(async move { client.write_all(text).await });
            let (bytes, end) = read(&mut server).await.unwrap();
            assert!(bytes.get(..end).unwrap().ends_with(b"X-A: 1\r\nx-a: 2\r\n\r\n"));
            let head = RequestHead::parse(&bytes).unwrap();
            assert_eq!((head.method.as_str(), head.path.as_str()), ("GET", "/a"));
            assert_eq!(head.query.as_deref(), Some("b=c"));
            assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
            assert!(!head.has_body());
            drop(server);
            let _ = writing.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_head_is_bounded_and_has_an_end() {
        let endless = vec![b'x'; HEADER_BYTES_MAX * 2];
        assert!(matches!(read(&mut endless.as_slice()).await, Err(RequestHeadError::TooLarge)));
        assert!(matches!(read(&mut &b"GET / HT"[..]).await, Err(RequestHeadError::Ended)));
    }

    proptest! {
        /// The result does not depend on how the bytes arrive, and no byte is lost.
        #[test]
        fn the_end_is_found_however_it_is_cut(
            before in "([a-z]|\r|\n|\r\n){0,30}",
            after in "([a-z]|\r|\n){0,30}",
            piece in 1_usize..20,
        ) {
            let text = format!("{before}\r\n\r\n{after}");
            let end = text.find("\r\n\r\n").unwrap() + 4;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let head = text[..end].to_owned();
            let (bytes, found) = runtime.block_on(async {
                let (mut client, mut server) = tokio::io::duplex(piece);
                let sending = async move { client.write_all(text.as_bytes()).await };
                let (read, _) = tokio::join!(async move { read(&mut server).await }, sending);
                read.unwrap()
            });
            prop_assert_eq!(found, end);
            prop_assert!(bytes.starts_with(head.as_bytes()));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = RequestHead::parse(&bytes);
        }

        #[test]
        fn headers_never_panic(text in "GET /[ -~]{0,40} HTTP/1.1\r\n([ -~]{0,20}:[ -\u{ff}]{0,20}\r\n){0,5}\r\n") {
            let _ = RequestHead::parse(text.as_bytes());
        }
    }
}
