//! The scenarios, and their shared users and addresses.

pub mod allocations;
pub mod bulk;
pub mod cache;
pub mod cluster;
pub mod counts;
pub mod create;
pub mod feed;
pub mod nest;
pub mod pages;
pub mod queues;
pub mod start;
pub mod tails;

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::json;
use support::chart::{Bar, Chart, Content};
use support::{Functions, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{CONNECTIONS, Load};

/// About 1,000 users with names of their own, spread over the connections. A user belongs to one
/// connection: overtaking creates for one user are not measured here.
#[derive(Clone, Copy)]
pub struct Users(&'static str);

const USERS: usize = 1_000;

impl Users {
    pub fn per_connection(self) -> usize {
        USERS.div_ceil(CONNECTIONS)
    }

    pub fn name(self, connection: usize, turn: usize) -> String {
        format!("{}-{connection:02}-{turn:02}", self.0)
    }

    /// Each body makes an entry of about 250 bytes.
    fn body(self, connection: usize, turn: usize) -> String {
        let body = json!({
            "userId": self.name(connection, turn),
            "title": "Order 1234 has been shipped",
            "body": "It is on its way.",
            "kind": "order.shipped",
            "data": {"orderId": 101_234, "carrier": "post"},
        });
        body.to_string()
    }

    /// Creates, in turns for every user, by one service. All of them must be delivered.
    fn creates(self, address: SocketAddr) -> Load {
        self.creates_over(CONNECTIONS, address)
    }

    /// [`Users::creates`] with another number of connections.
    fn creates_over(self, connections: usize, address: SocketAddr) -> Load {
        let token = token("a service", "notifications:write");
        let turns = USERS.div_ceil(connections);
        let load = Load::of(connections, address, turns, 201, |connection, turn| {
            request("POST", "/notifications", &token, &self.body(connection, turn))
        });
        Load { text: "\"delivery\":\"sent\"", ..load }
    }
}

/// A chart of requests per second beside `peer`.
fn ratios(args: &Args, name: &'static str, title: &str, peer: &str, bars: Vec<Bar>) -> Chart {
    let rounds = args.rounds;
    let subtitle = format!("1 × is {peer}; median, least, most of {rounds} rounds");
    Chart { name, title: title.to_owned(), subtitle, content: Content::Ratios(bars) }
}

fn address(functions: &Functions) -> Result<SocketAddr> {
    let url = functions.url();
    url.trim_start_matches("http://").parse().with_context(|| url.clone())
}
