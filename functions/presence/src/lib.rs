//! Who is online: reads of the set that the hubs keep, and that other services may write as well.

mod presence;
mod routes;

runtime::component!(crate::routes::route);
