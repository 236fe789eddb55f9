//! Serves the feeds: pages, single entries, read marks and deletes under
//! `/users/{u}/notifications`.

mod change;
mod cursor;
mod entry;
mod page;
mod read;
mod routes;

runtime::component!(crate::routes::route);
