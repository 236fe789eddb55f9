//! Creates notifications: `POST /notifications`, `POST /notifications/batch` and
//! `POST /notifications/import`.

mod batch;
mod commit;
mod create;
mod import;
mod routes;

runtime::component!(crate::routes::route);
