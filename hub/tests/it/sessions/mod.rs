//! From a handshake to the end of a session: admission, the form of rejections, limits.

mod admission;
mod handshake;
mod herd;
mod hostile;
mod life;
mod refusals;
mod tickets;
