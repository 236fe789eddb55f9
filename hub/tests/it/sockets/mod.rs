//! Sockets and event streams as bytes: frames, closing, peers that are gone.

mod closing;
mod events;
mod half_open;
mod rfc6455;
