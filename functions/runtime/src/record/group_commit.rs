//! Group commit for a database with one writer at a time: creates of one instance that wait for their
//! turn to write are committed together.
//!
//! Each create of SQLite holds the write lock for a commit and its fsync. With 128 clients the wait
//! for the lock was nearly all of a create's time. Creates that share a commit take the lock once.
//!
//! Requests of one instance must not wait for each other through a shared future: a wake-up across
//! tasks traps the instance. So one request commits for the others, and those look for its result.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Created, NewEntry, Record, RecordError};
use crate::ports::sql::Sql;

/// Creates per commit: more than the 16 requests that a host gives to one instance at once.
const GROUP_MAX: usize = 64;
/// Time after which a create that no other has taken with it commits alone, so that a slow commit
/// before it does not use up its own deadline.
const GROUPED_FOR: Duration = Duration::from_secs(1);
/// Pauses between two looks grow with the time waited: a look costs about as much as a call of the
/// host, and a create that has waited for 40 ms does not notice 8 ms.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(8);
const LOOK_SHARE: u32 = 6;

/// The creates of one instance.
#[derive(Default)]
pub struct GroupCommit {
    /// One of the creates is committing.
    is_committing: Cell<bool>,
    waiting: RefCell<VecDeque<(Ticket, NewEntry)>>,
    /// One per create under way, empty until its result is known.
    results: RefCell<BTreeMap<Ticket, Option<Result<Created, RecordError>>>>,
    last_ticket: Cell<Ticket>,
}

type Ticket = u64;

impl GroupCommit {
    /// Commits an entry, alone or with others that wait. As [`Record::create`] otherwise.
    ///
    /// # Errors
    /// As [`Record::create`]; a failed commit is the error of all creates in it.
    pub async fn create(
        &self,
        record: &Record<impl Sql>,
        entry: NewEntry,
        keys_since_ms: i64,
        sleep: impl AsyncFn(Duration),
    ) -> Result<Created, RecordError> {
        let seat = Seat::take(self);
        self.waiting.borrow_mut().push_back((seat.ticket, entry));
        let mut waited = Duration::ZERO;
        loop {
            if let Some(result) = seat.result() {
                return result;
            }
            if !self.is_committing.get() {
                self.commit(record, keys_since_ms).await;
                continue;
            }
            if waited >= GROUPED_FOR
                && let Some(entry) = self.leave(seat.ticket)
            {
                return record.create(&[entry], keys_since_ms).await;
            }
            let pause = (waited / LOOK_SHARE).clamp(LOOK_MIN, LOOK_MAX);
            sleep(pause).await;
            waited += pause;
        }
    }

    /// Commits the creates that wait, and those that come before the database gives this statement
    /// its turn. Hands out the results.
    async fn commit(&self, record: &Record<impl Sql>, keys_since_ms: i64) {
        let mut committing = Committing::begin(self);
        let gather = |entries: &mut Vec<NewEntry>| {
            let mut waiting = self.waiting.borrow_mut();
            let room = GROUP_MAX.saturating_sub(entries.len()).min(waiting.len());
            for (ticket, entry) in waiting.drain(..room) {
                committing.tickets.push(ticket);
                entries.push(entry);
            }
        };
        let created = record.create_gathered(gather, keys_since_ms).await;
        for (at, ticket) in committing.tickets.iter().enumerate() {
            let result = match &created {
                Err(error) => Err(error.clone()),
                Ok(Created { epoch, outcomes }) => match outcomes.get(at) {
                    Some(outcome) => {
                        Ok(Created { epoch: epoch.clone(), outcomes: vec![outcome.clone()] })
                    }
                    None => Err(RecordError::Malformed("an entry has no outcome".to_owned())),
                },
            };
            self.hand_out(*ticket, result);
        }
    }

    fn hand_out(&self, ticket: Ticket, result: Result<Created, RecordError>) {
        // No slot: the request has ended.
        if let Some(slot) = self.results.borrow_mut().get_mut(&ticket) {
            slot.get_or_insert(result);
        }
    }

    /// Takes out a create that is not being committed yet.
    fn leave(&self, ticket: Ticket) -> Option<NewEntry> {
        let mut waiting = self.waiting.borrow_mut();
        let at = waiting.iter().position(|(other, _)| *other == ticket)?;
        waiting.remove(at).map(|(_, entry)| entry)
    }
}

/// The place of one create, given up when its request ends.
struct Seat<'a> {
    group: &'a GroupCommit,
    ticket: Ticket,
}

impl<'a> Seat<'a> {
    fn take(group: &'a GroupCommit) -> Self {
        let ticket = group.last_ticket.get().wrapping_add(1);
        group.last_ticket.set(ticket);
        group.results.borrow_mut().insert(ticket, None);
        Self { group, ticket }
    }

    fn result(&self) -> Option<Result<Created, RecordError>> {
        self.group.results.borrow_mut().get_mut(&self.ticket).and_then(Option::take)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.group.results.borrow_mut().remove(&self.ticket);
        self.group.leave(self.ticket);
    }
}

/// A commit under way. If its request ends before it, the others learn that the outcome is unknown.
struct Committing<'a> {
    group: &'a GroupCommit,
    tickets: Vec<Ticket>,
}

impl<'a> Committing<'a> {
    fn begin(group: &'a GroupCommit) -> Self {
        group.is_committing.set(true);
        Self { group, tickets: Vec::new() }
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.group.is_committing.set(false);
        for ticket in &self.tickets {
            self.group.hand_out(*ticket, Err(RecordError::TimedOut));
        }
    }
}

#[cfg(test)]
mod tests;
