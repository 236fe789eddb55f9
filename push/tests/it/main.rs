//! The sender against push services of the tests' own: TLS and HTTP/2 as in production, with faults.

mod apns;
mod connections;
mod fcm;
mod oauth;
mod support;
mod webpush;
