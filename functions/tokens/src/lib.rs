//! Push tokens: one user's under `/users/{u}/token`, many under `/tokens`. A user's devices and
//! preferences.

mod bulk;
mod devices;
mod preferences;
mod routes;
mod token;

runtime::component!(crate::routes::route);
