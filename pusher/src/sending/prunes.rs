//! Removes dead addresses through the functions, many in a call. Calls are repeated while the
//! functions are away; what does not fit meanwhile is found dead again by a later push.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::functions::Api;
use crate::functions::wire::Prune;
use crate::limits::{FUNCTIONS_RETRY, PRUNES_MAX, PRUNES_PER_CALL};
use crate::metrics::Metrics;

/// Takes dead addresses.
#[derive(Clone)]
pub(crate) struct Prunes(mpsc::Sender<Prune>);

impl Prunes {
    /// The other end goes to [`Prunes::run`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<Prune>) {
        let (sender, receiver) = mpsc::channel(PRUNES_MAX);
        (Self(sender), receiver)
    }

    pub(super) fn add(&self, prune: Prune) {
        if self.0.try_send(prune).is_err() {
            tracing::debug!("too many addresses wait to be removed");
        }
    }

    /// Ends when all senders are gone and everything is removed.
    pub(crate) async fn run(mut all: mpsc::Receiver<Prune>, api: Arc<Api>, metrics: Arc<Metrics>) {
        let mut batch = Vec::with_capacity(PRUNES_PER_CALL);
        while all.recv_many(&mut batch, PRUNES_PER_CALL).await > 0 {
            loop {
                match api.prune(&batch).await {
                    Ok(deleted) => {
                        metrics.pruned(deleted);
                        break;
                    }
                    Err(error) if error.is_final() => {
                        tracing::error!(%error, "dead addresses cannot be removed");
                        break;
                    }
                    Err(_) => sleep(FUNCTIONS_RETRY).await,
                }
            }
            batch.clear();
        }
    }
}
