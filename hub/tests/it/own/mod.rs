//! Hubs that hear the channels of their own users only. What is the same in both modes is tested in
//! `delivery`.

mod bridge;
mod channels;
mod cluster;
mod crowd;
mod publisher;
