//! `GET /console/live`: a stream of server-sent events (WHATWG HTML §9.2) with the hub, the last 15
//! minutes and then a snapshot a second. A viewer that reads slowly skips snapshots; one that does
//! not read at all is closed ([`write_deadline`](crate::console::write_deadline)).

use std::convert::Infallible;
use std::sync::Arc;
use std::vec::IntoIter;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use serde::Serialize;
use serde_json::json;
use shared::{Code, Error};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use crate::console::Console;
use crate::console::ring::KEPT;
use crate::console::snapshot::Snapshot;
use crate::limits::CONSOLE_VIEWERS_MAX;
use crate::metrics::families::DELIVERY_NS;

/// Snapshots in one event: about 40 kB.
const HISTORY_PAGE: usize = 100;
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An event of the stream; JSON has no line breaks.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    // Numbers and texts are always JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[derive(Serialize)]
struct History {
    snapshots: Vec<Snapshot>,
}

/// One viewer's stream.
struct Viewer {
    console: Arc<Console>,
    /// What comes before the live snapshots.
    first: Option<Bytes>,
    history: IntoIter<Snapshot>,
    newest: watch::Receiver<Bytes>,
    /// End of the token's validity.
    expires_at: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Console {
    /// Opens a stream that ends at `expires_at`, or with the hub.
    ///
    /// # Errors
    /// `not_ready`: there are enough viewers.
    pub(super) fn watch(self: Arc<Self>, expires_at: Instant) -> Result<Response, Error> {
        let permit = self.viewers.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("the console has {CONSOLE_VIEWERS_MAX} viewers, its maximum");
            Error::new(Code::NotReady, detail)
        })?;
        let first = Some(event("hub", &self.description()));
        let (history, newest) = {
            let ring = self.ring.lock();
            (ring.snapshots().into_iter(), self.newest.subscribe())
        };
        let viewer = Viewer { console: self, first, history, newest, expires_at, _permit: permit };
        let events = unfold(Some(viewer), async |viewer: Option<Viewer>| {
            let (event, viewer) = viewer?.next().await;
            Some((Ok::<_, Infallible>(event), viewer))
        });
        let head = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-store"),
            (ACCEL_BUFFERING, "no"),
        ];
        Ok((head, Body::from_stream(events)).into_response())
    }

    fn description(&self) -> serde_json::Value {
        let (config, limits) = (&self.app.config, self.app.admission.limits());
        json!({
            "hub": self.presence.hub_id(),
            "version": env!("CARGO_PKG_VERSION"),
            "startedAt": self.started_at,
            "functions": config.console.functions,
            "latencyBoundsUs": DELIVERY_NS.map(|bound| bound / 1000),
            "limits": {
                "sockets": limits.sockets_max,
                "socketsPerUser": limits.sockets_per_user_max,
                "queuedBytes": config.queued_bytes_max,
            },
            "keptSeconds": KEPT,
        })
    }
}

impl Viewer {
    /// The next event, and the viewer unless it was the last one.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        if let Some(first) = self.first.take() {
            return (first, Some(self));
        }
        // Encoded page by page: the whole would be 400 kB for each viewer.
        let page: Vec<Snapshot> = self.history.by_ref().take(HISTORY_PAGE).collect();
        if !page.is_empty() {
            return (event("history", &History { snapshots: page }), Some(self));
        }
        let end = tokio::select! {
            biased;
            () = self.console.closing.cancelled() => "shutdown",
            () = sleep_until(self.expires_at) => "token_expired",
            // The console holds the sender.
            _ = self.newest.changed() => {
                let newest = self.newest.borrow_and_update().clone();
                return (newest, Some(self));
            }
        };
        (event("end", &json!({ "reason": end })), None)
    }
}
