//! Serves the feeds: `GET /users/{u}/notifications`.

mod page;
mod read;
mod routes;

runtime::component!(crate::routes::route);
