//! Servers that tests start: databases, the programs under test, and the services around them.

pub mod functions;
pub mod gateway;
pub mod hub;
pub mod origin;
pub mod postgres;
pub mod proxy;
pub mod push_service;
pub mod record;
pub mod redis_server;
pub mod small_disk;
