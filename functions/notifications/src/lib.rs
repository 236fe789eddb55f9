//! Creates notifications: `POST /notifications` and `POST /notifications/batch`.

mod batch;
mod commit;
mod create;
mod routes;

runtime::component!(crate::routes::route);
