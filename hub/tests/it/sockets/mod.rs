//! Sockets and event streams as bytes: frames, closing, half-open peers.

mod closing;
mod events;
mod half_open;
mod rfc6455;
