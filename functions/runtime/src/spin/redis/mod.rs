//! Redis through the host: one server, the masters of a Redis Cluster, or the master that Sentinel
//! names. Spin's client knows neither clusters nor Sentinel, never reconnects and has no deadlines.
//!
//! `link` is the connection to one server, `call` what is sent on it, `several` finds the server of
//! each call and tries again; `topology` learns which servers there are.

mod asking;
mod call;
mod link;
mod redirect;
mod several;
mod slots;
mod topology;

use shared::cluster::{Kind, RedisAddress};
use shared::live::Live;
use shared::script::Script;

use crate::ports::redis::{Arg, Node, Redis, RedisError, Reply};
use call::Call;
use link::Link;
use several::Several;

/// Redis through the host.
pub struct SpinRedis {
    way: Way,
    /// On which channels the scripts publish.
    live: Live,
}

enum Way {
    /// No command about a topology is sent to it.
    One(Link),
    Several(Several),
}

impl SpinRedis {
    pub(crate) fn new(address: RedisAddress, live: Live) -> Self {
        let way = match (&address.kind, address.seeds.first()) {
            (Kind::One, Some(server)) => Way::One(Link::new(&address, server)),
            _ => Way::Several(Several::new(address)),
        };
        Self { way, live }
    }

    async fn run(&self, call: &Call<'_>) -> Result<Vec<Reply>, RedisError> {
        match &self.way {
            Way::One(link) => link.run(call).await.map_err(RedisError::from),
            // On the heap: see `link::Called`.
            Way::Several(several) => Box::pin(several.run(call)).await,
        }
    }

    async fn run_on(&self, node: &Node, call: &Call<'_>) -> Result<Vec<Reply>, RedisError> {
        match (&self.way, node) {
            (Way::Several(several), Some(server)) => several.run_on(server, call).await,
            _ => self.run(call).await,
        }
    }
}

impl Redis for SpinRedis {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let script = if self.is_cluster() { script.on_cluster() } else { script };
        self.run(&Call::Script { script, keys, args }).await
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        self.run(&Call::Command { name, args }).await
    }

    async fn servers(&self) -> Result<Vec<Node>, RedisError> {
        match &self.way {
            Way::Several(several) if several.is_cluster() => several.servers().await,
            _ => Ok(vec![None]),
        }
    }

    async fn command_on(
        &self,
        node: &Node,
        name: &str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        self.run_on(node, &Call::Command { name, args }).await
    }

    async fn eval_on(
        &self,
        node: &Node,
        script: &Script,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        self.run_on(node, &Call::Script { script, keys: &[], args }).await
    }

    fn live(&self) -> Live {
        self.live
    }

    fn is_cluster(&self) -> bool {
        matches!(&self.way, Way::Several(several) if several.is_cluster())
    }

    fn gap(&self) -> Option<String> {
        match &self.way {
            Way::Several(several) => several.map.borrow().as_ref()?.gap(),
            Way::One(_) => None,
        }
    }

    async fn by_server(&self, keys: &[&str]) -> Result<Vec<Vec<usize>>, RedisError> {
        match &self.way {
            Way::Several(several) if several.is_cluster() => several.by_server(keys).await,
            _ => Ok(vec![(0..keys.len()).collect()]),
        }
    }
}
