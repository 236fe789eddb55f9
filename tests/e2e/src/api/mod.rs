//! Requests and answers, by capability; `routes` goes through every operation of the document.

mod auth;
pub mod cache;
mod campaigns;
mod conformance;
mod cors;
mod create;
mod devices;
mod erased;
mod expiry;
mod feed;
mod fuzz;
mod identity;
mod limits;
mod live;
mod openapi;
mod ops;
mod presence;
mod pushes;
mod queues;
mod readiness;
mod records;
mod requests;
mod rotation;
mod routes;
mod sockets;
mod tokens;
mod traced;
