//! Servers that tests start: databases, the programs under test, and the services around them.

pub mod certificate;
pub mod fake_clock;
pub mod functions;
pub mod gateway;
pub mod hub;
pub mod origin;
pub mod postgres;
pub mod proxy;
pub mod push_service;
pub mod push_worker;
pub mod record;
pub mod redis_cluster;
pub mod redis_server;
pub mod reverse_proxy;
pub mod sentinel;
pub mod small_disk;
pub mod tls_proxy;
