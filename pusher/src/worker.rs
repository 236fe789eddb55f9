//! The tasks of the worker, and the order in which they end: claims stop, pushes on their way end,
//! results are told, dead addresses are removed.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use native::functions::Functions;
use native::ops::Endpoint as _;
use native::redis::Commands;
use push::Sender;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::campaigns::{self, Parts};
use crate::config::Config;
use crate::functions::{Api, US};
use crate::health::Health;
use crate::jobs::{Jobs, Settler};
use crate::metrics::{Metrics, Page};
use crate::redis::{Store, wake};
use crate::sending::{Prunes, Sending};

/// A worker that is ready to start: its credentials are read.
pub struct Worker {
    config: Config,
    sender: Arc<Sender>,
}

impl Worker {
    /// Reads the credentials.
    ///
    /// # Errors
    /// One of the files is unreadable or invalid; the text names it.
    pub async fn new(config: Config) -> Result<Self> {
        let sender = Arc::new(Sender::new(config.sender.clone()).await?);
        Ok(Self { config, sender })
    }

    /// The key that browsers subscribe with, if Web Push is configured.
    pub async fn vapid_public_key(&self) -> Option<String> {
        self.sender.vapid_public_key().await
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Works until `end` resolves, then finishes what is on its way, within the deadline.
    ///
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub async fn run(
        self,
        listener: Option<TcpListener>,
        end: impl Future<Output = ()>,
    ) -> Result<()> {
        let Self { config, sender } = self;
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::default());
        let functions = Functions::new(config.functions.clone(), US)
            .context("BELLWIRE_PUSH_FUNCTIONS_URL: cannot load certificates for https")?;
        let api = Arc::new(Api::new(functions, health.clone(), metrics.clone()));
        let (prunes, dead) = Prunes::new();
        let pruning = tokio::spawn(Prunes::run(dead, api.clone(), metrics.clone()));
        let sending = Arc::new(Sending::new(
            sender.clone(),
            &config.sender,
            prunes,
            health.clone(),
            metrics.clone(),
        ));
        let page =
            Page { access: config.metrics.clone(), metrics: metrics.clone(), health, sender };
        let health = page.health.clone();
        let _serving = listener
            .map(|listener| AbortOnDropHandle::new(tokio::spawn(Arc::new(page).serve(listener))));
        let commands = Arc::new(Commands::new(config.redis.topology(), health.clone()));
        health.set_commands(&commands);
        let _following = AbortOnDropHandle::new(tokio::spawn({
            let commands = commands.clone();
            async move { commands.run().await }
        }));
        let woken = Arc::new(Notify::new());
        let _waking = AbortOnDropHandle::new(tokio::spawn({
            let (topology, woken) = (commands.topology().clone(), woken.clone());
            async move { wake(topology, &woken).await }
        }));

        let stop = CancellationToken::new();
        let (settler, settling) = Settler::new();
        let settling = tokio::spawn(settling.run(api.clone()));
        let jobs = Jobs {
            api: api.clone(),
            sending: sending.clone(),
            metrics: metrics.clone(),
            settler,
            lease: config.pace.job_lease,
            push_time: config.sender.deadline * 2,
        };
        let jobs = tokio::spawn(jobs.run(woken, stop.clone()));
        let parts = Parts {
            api,
            sending,
            store: Arc::new(Store::new(commands, health.clone())),
            metrics,
            pace: config.pace,
            stop: stop.clone(),
        };
        let campaigns = tokio::spawn(campaigns::run(parts));

        end.await;
        tracing::info!("ending: what is on its way is finished");
        health.set_draining();
        stop.cancel();
        let finishing = async {
            // Each ends with the senders of the one before.
            let _ = tokio::join!(jobs, campaigns);
            let _ = tokio::join!(settling, pruning);
        };
        if timeout(config.shutdown_deadline, finishing).await.is_err() {
            tracing::warn!("the deadline ends what was not finished; it is claimed again");
        }
        tracing::info!("bye");
        Ok(())
    }
}
