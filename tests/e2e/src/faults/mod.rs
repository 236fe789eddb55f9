//! Outages, restarts, lost data, refused commands and overtaking calls: every 201 is delivered once
//! and in order. `load` is the traffic that `recovery` disturbs.

mod clock;
mod database;
mod full_disk;
mod load;
mod lost_feed;
mod moving;
mod order;
mod outage;
mod record;
mod recovery;
mod refused;
mod relay;
mod shutdown;
mod tls;
