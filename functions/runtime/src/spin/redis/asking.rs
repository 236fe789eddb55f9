//! Calls after an `ASK`: `ASKING` permits the next command of its connection, so nothing may come
//! between the two, and they have a connection of their own.

use std::cell::RefCell;

use shared::cluster::{RedisAddress, Server};
use spin_sdk::redis::Connection;

use super::call::{Call, Form};
use super::link::{Failure, is_noscript, open, send};
use crate::ports::redis::Reply;

/// Idle connections that are kept until the slots are learned again: a slot that is being moved is
/// asked for by several requests.
const IDLE_MAX: usize = 4;

#[derive(Default)]
pub(super) struct Asking {
    idle: RefCell<Vec<(Server, Connection)>>,
}

impl Asking {
    pub(super) async fn run(
        &self,
        address: &RedisAddress,
        server: &Server,
        call: &Call<'_>,
    ) -> Result<Vec<Reply>, Failure> {
        let connection = match self.take(server) {
            Some(connection) => connection,
            None => open(&address.url_of(server)).await?,
        };
        let mut outcome = ask(&connection, call, Form::Digest).await;
        if let Err(Failure::Reply(error)) = &outcome
            && is_noscript(error)
        {
            outcome = ask(&connection, call, Form::Text).await;
        }
        if !outcome.as_ref().is_err_and(Failure::closes) {
            self.keep(server, connection);
        }
        outcome
    }

    /// Closes the idle connections.
    pub(super) fn clear(&self) {
        drop(self.idle.take());
    }

    fn take(&self, server: &Server) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let at = idle.iter().position(|(known, _)| known == server)?;
        Some(idle.swap_remove(at).1)
    }

    fn keep(&self, server: &Server, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push((server.clone(), connection));
        }
    }
}

async fn ask(connection: &Connection, call: &Call<'_>, form: Form) -> Result<Vec<Reply>, Failure> {
    send(connection, ("ASKING", Vec::new())).await?;
    send(connection, call.command(form)).await
}
