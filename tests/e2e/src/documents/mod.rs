//! The documents: their links, tables and commands against the code, and their snippets run.

mod examples;
mod facts;
