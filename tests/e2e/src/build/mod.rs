//! The components as they are built: their imports, their permissions, and a build without SQLite.

mod imports;
mod without_sqlite;
