//! The browser client's files, for pages without a package manager: `/client.js` and the others of
//! `client/dist` under names that stay, and under `/assets/` with a hash of their content in the
//! name. `build.rs` made the table; nothing is read or compressed while the hub runs.
//!
//! A name that stays is asked for again with each page (`no-cache`, 304), and its imports are names
//! that stay: they are the bytes of `client/dist`, so that a page that imports two of the modules
//! has one instance of each, and so that hubs of two versions behind one address can serve a page
//! together. A hashed file never changes, and its imports are hashed, too. A service worker has the
//! name that stays only.
//!
//! Knows nothing of users, tokens or origins: the files are public, and every page may load them.

mod encoding;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use native::http::problem::Refusal;
use shared::{Error, etag};

use crate::assets::encoding::Encoding;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file in its forms.
pub(crate) struct Asset {
    name: &'static str,
    /// `None` for a page: its owner serves it under a path of its own.
    path: Option<&'static str>,
    caching: Caching,
    media_type: &'static str,
    /// A hash of the content.
    tag: &'static str,
    identity: &'static [u8],
    /// `None` where compression gains nothing.
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Caching {
    /// The name stays when the content changes.
    Revalidate,
    /// The name contains the content's hash.
    Immutable,
    /// As `Revalidate`, and for the hub's own pages only.
    Page,
    /// As `Revalidate`, and a service worker.
    Worker,
}

/// The routes of all files but the pages.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, asset| match asset.path {
        Some(path) => {
            let answer = move |method: Method, headers: HeaderMap| async move {
                asset.answer(&method, &headers)
            };
            router.route(path, any(answer))
        }
        None => router,
    })
}

/// A page of `client/dist`, such as `demo.html`; its references are hashed paths relative to the
/// hub's root.
pub(crate) fn page(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.caching == Caching::Page && asset.name == name)
}

impl Asset {
    /// The content, uncompressed.
    pub(crate) fn text(&self) -> &'static str {
        // `build.rs` read it as text.
        std::str::from_utf8(self.identity).unwrap_or_default()
    }

    /// The answer to a request for this file.
    ///
    /// # Errors
    /// `method_not_allowed`
    pub(crate) fn answer(&self, method: &Method, headers: &HeaderMap) -> Result<Response, Refusal> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Error::method_not_allowed("GET, HEAD").into());
        }
        let accepted = list(headers, ACCEPT_ENCODING);
        let (encoding, bytes) = self.form(|encoding| encoding::weight(&accepted, encoding));
        // A form of its own has a tag of its own (RFC 9110 §8.8.3.3).
        let tag = format!("{}{}", self.tag, encoding.map_or("", Encoding::tag_suffix));
        let is_known = etag::names(&list(headers, IF_NONE_MATCH), &tag);
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            // The server leaves the body out of the answer to HEAD.
            false => Body::from(bytes).into_response(),
        };
        let answer = response.headers_mut();
        if !is_known {
            answer.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
            answer.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            if let Some(encoding) = encoding {
                answer.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            }
        }
        if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
            answer.insert(ETAG, tag);
        }
        answer.insert(CACHE_CONTROL, HeaderValue::from_static(self.caching.header()));
        answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.caching != Caching::Page {
            // A module loads across origins only if every page may read it.
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            // For pages that embed only what allows it (COEP).
            answer.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        }
        if self.caching == Caching::Worker {
            // A proxy may serve it below a path, and the page may register it for the whole site.
            answer.insert(WORKER_ALLOWED, HeaderValue::from_static("/"));
        }
        Ok(response)
    }

    /// The form with the greatest weight, and the smallest of several; uncompressed if the client
    /// accepts none.
    fn form(&self, weight: impl Fn(Option<Encoding>) -> u16) -> (Option<Encoding>, &'static [u8]) {
        let compressed = [(Encoding::Brotli, self.brotli), (Encoding::Gzip, self.gzip)];
        let compressed = compressed.into_iter().filter_map(|(encoding, bytes)| {
            let weight = weight(Some(encoding));
            bytes.filter(|_| weight > 0).map(|bytes| (weight, Some(encoding), bytes))
        });
        let mut best = (weight(None), None, self.identity);
        for form in compressed {
            if form.0 > best.0 || (form.0 == best.0 && form.2.len() < best.2.len()) {
                best = form;
            }
        }
        (best.1, best.2)
    }
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

impl Caching {
    fn header(self) -> &'static str {
        match self {
            Caching::Revalidate | Caching::Page | Caching::Worker => "no-cache",
            Caching::Immutable => "public, max-age=31536000, immutable",
        }
    }
}

/// A list header; several lines are one list (RFC 9110 §5.3). A line that is not text is ignored.
fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.collect::<Vec<_>>().join(", ")
}
