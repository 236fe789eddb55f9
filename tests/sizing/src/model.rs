//! The model: users in, servers out.

use crate::costs::*;

/// How a service is used; see `docs/scale.md`.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub users: f64,
    /// Share of the users with an open socket at the busiest time.
    pub online: f64,
    /// Notifications and reads of the feed per user and day.
    pub notifications_per_day: f64,
    pub reads_per_day: f64,
    /// Share of a day's traffic in its busiest hour.
    pub busiest_hour: f64,
    /// Entries in an average feed.
    pub entries: f64,
}

impl Usage {
    pub fn of(users: f64) -> Self {
        Self {
            users,
            online: 0.05,
            notifications_per_day: 5.0,
            reads_per_day: 4.0,
            busiest_hour: 0.1,
            entries: 20.0,
        }
    }

    fn per_s(self, per_day: f64) -> f64 {
        self.users * per_day * self.busiest_hour / 3600.0
    }
}

/// What one server may carry, half of what it can: the other half is for the loss of a server.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub sockets_per_hub: f64,
    /// Of one hub with two cores.
    pub hub_cores: f64,
    /// Of the one thread of a Redis master.
    pub redis_cores: f64,
    pub redis_bytes: f64,
}

impl Default for Machine {
    fn default() -> Self {
        let gib = 1024.0 * 1024.0 * 1024.0;
        Self {
            sockets_per_hub: 100_000.0,
            hub_cores: 1.0,
            redis_cores: 0.5,
            redis_bytes: 24.0 * gib,
        }
    }
}

/// On which channels messages are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    All,
    Own,
    Bridge,
}

/// What is needed in the busiest hour.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub sockets: f64,
    pub messages_per_s: f64,
    pub hubs: f64,
    /// Of one hub, in milliseconds of CPU per second.
    pub hub_ms_per_s: f64,
    /// Of one hub, in bytes.
    pub hub_bytes: f64,
    pub masters: f64,
    /// Of all masters.
    pub redis_cores: f64,
    /// Of all masters; each replica needs as much again.
    pub redis_bytes: f64,
    /// Of all hosts of functions, and of Postgres.
    pub functions_cores: f64,
    pub postgres_cores: f64,
    /// From Redis to the hubs, in bytes per second.
    pub traffic: f64,
}

/// The CPU time per second, in microseconds, that a hub spends on messages to users of other hubs.
pub fn foreign_us(messages_per_s: f64) -> f64 {
    messages_per_s * FOREIGN_US + messages_per_s.min(WAKES_PER_S) * FOREIGN_WAKE_US
}

pub fn need(usage: Usage, machine: Machine, live: Live) -> Need {
    let sockets = usage.users * usage.online;
    let messages = usage.per_s(usage.notifications_per_day);
    let delivered = messages * usage.online;
    let redis_bytes = usage.users * (usage.entries * ENTRY_BYTES + FEED_BYTES)
        + if live == Live::All { 0.0 } else { sockets * CHANNEL_BYTES };
    let reads = usage.per_s(usage.reads_per_day);
    let work_us = messages * CREATE_US + reads * READ_US;
    let (mut hubs, mut masters) = (1.0_f64, 1.0_f64);
    // More hubs hear more, and more masters pass more on: a few rounds settle it.
    for _ in 0..20 {
        let hub_us = hub_us(live, messages, delivered, hubs);
        let publish_us = messages * publish_us(live, hubs, masters);
        let by_cpu = hub_us * hubs / (machine.hub_cores * 1e6);
        hubs = (sockets / machine.sockets_per_hub).max(by_cpu).ceil().max(2.0);
        let by_cpu = (work_us + publish_us) / (machine.redis_cores * 1e6);
        masters = (redis_bytes / machine.redis_bytes).max(by_cpu).ceil().max(1.0);
        if masters == 2.0 {
            masters = 3.0; // a cluster has at least three
        }
    }
    let heard = match live {
        Live::All => messages * hubs,
        Live::Own => delivered,
        // One hub hears everything, and passes on what existing services publish.
        Live::Bridge => delivered + messages,
    };
    Need {
        sockets,
        messages_per_s: messages,
        hubs,
        hub_ms_per_s: hub_us(live, messages, delivered, hubs) / 1e3,
        hub_bytes: sockets / hubs * SOCKET_BYTES,
        masters,
        redis_cores: (work_us + messages * publish_us(live, hubs, masters)) / 1e6,
        redis_bytes,
        functions_cores: (messages * FUNCTIONS_CREATE_US + reads * FUNCTIONS_READ_US) / 1e6,
        postgres_cores: messages * POSTGRES_CREATE_US / 1e6,
        traffic: heard * MESSAGE_BYTES,
    }
}

/// CPU time per second of one hub, in microseconds; with a bridge, of the hub that is it.
fn hub_us(live: Live, messages: f64, delivered: f64, hubs: f64) -> f64 {
    let own = delivered / hubs * DELIVERED_US;
    match live {
        Live::Own => own,
        Live::All | Live::Bridge => own + foreign_us(messages - delivered / hubs),
    }
}

/// CPU time of publishing one message, on all masters together.
fn publish_us(live: Live, hubs: f64, masters: f64) -> f64 {
    let common = |hearers: f64| match masters {
        1.0 => PUBLISH_US + hearers * PUBLISH_PER_HUB_US,
        _ => {
            let others = 2.0 * masters - 1.0; // with a replica each
            CLUSTER_PUBLISH_US + hearers * PUBLISH_PER_HUB_US + others * CLUSTER_PUBLISH_OTHERS_US
        }
    };
    let own = if masters == 1.0 { PUBLISH_US + 0.5 } else { SPUBLISH_US };
    match live {
        Live::All => common(hubs),
        Live::Own => own,
        Live::Bridge => own + common(1.0),
    }
}
