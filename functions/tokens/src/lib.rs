//! Push tokens: one user's under `/users/{u}/token`, many under `/tokens`.

mod bulk;
mod routes;
mod token;

runtime::component!(crate::routes::route);
