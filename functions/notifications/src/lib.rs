//! Creates notifications: `POST /notifications`.

mod create;
mod routes;

runtime::component!(crate::routes::route);
