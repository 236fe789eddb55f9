//! From a handshake to the end of a session: who is let in, how refusals look, what limits hold.

mod admission;
mod handshake;
mod herd;
mod hostile;
mod life;
mod refusals;
mod tickets;
