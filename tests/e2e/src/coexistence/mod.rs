//! Services that know nothing of Bellwire and use the same keys and channels.

mod foreign;
mod migration;
mod neighbour;
mod theirs;
