//! Where subscriptions connect to.

use std::io;
use std::sync::Arc;

use native::redis::Topology;
use redis::ConnectionInfo;
use shared::cluster::Server;

use crate::redis::pubsub_connection::SubscriptionError;

/// The servers, and how to connect to each.
#[derive(Clone)]
pub(crate) struct Servers(pub(crate) Arc<Topology>);

impl Servers {
    /// How to connect to a server.
    ///
    /// # Errors
    /// Its name is invalid, or the certificates for TLS cannot be read.
    pub(crate) fn info(&self, server: &Server) -> Result<ConnectionInfo, SubscriptionError> {
        let client = self.0.client_of(server).map_err(io::Error::other)?;
        Ok(client.get_connection_info().clone())
    }

    /// A master, another one with each attempt: every node of a cluster hears what is published on
    /// another.
    ///
    /// # Errors
    /// None is known yet.
    pub(crate) fn any(&self, attempt: usize) -> Result<Server, SubscriptionError> {
        let map = self.0.current();
        let masters = if self.0.is_known() { map.servers() } else { &[] };
        let server = masters.get(attempt % masters.len().max(1));
        server.cloned().ok_or_else(|| match self.0.problem() {
            none if none.is_empty() => SubscriptionError::Unknown,
            problem => SubscriptionError::Undisclosed(problem),
        })
    }

    /// Whether this is still a master.
    pub(crate) fn has(&self, server: &Server) -> bool {
        self.0.is_one() || self.0.current().servers().contains(server)
    }

    /// Has the map of servers read again.
    pub(crate) fn doubt(&self) {
        if !self.0.is_one() {
            self.0.doubt();
        }
    }
}
