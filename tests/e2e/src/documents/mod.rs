//! The documents: their links, tables and commands against the code, and their snippets run. Of the files
//! in `deploy/`, the secrets; `tests/deploy` checks the others.

mod alerts;
mod examples;
mod facts;
mod secrets;
