//! The databases for the record: one for the functions and one for the native peer.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result};
use support::functions::Setup;
use support::postgres::Postgres;
use support::{Functions, Record, RedisServer, paths, token};

use crate::cli::{Args, RecordKind};

/// A backend that is ready to be measured.
pub struct Backend {
    pub kind: RecordKind,
    pub name: &'static str,
    postgres: Option<Postgres>,
    /// The native peer's file, with SQLite.
    native: Record,
}

impl Backend {
    /// Every backend that this checkout can use, and a message about a missing one. Postgres starts
    /// with `settings`.
    pub async fn all(settings: &[&str]) -> Result<(Vec<Self>, Option<String>)> {
        let sqlite = Self {
            kind: RecordKind::Sqlite,
            name: "SQLite",
            postgres: None,
            native: Record::new(),
        };
        if !std::fs::read_to_string(paths::manifest())?.contains("\npostgres_url =") {
            let word = "Postgres: skipped, spin.toml has no variable postgres_url.";
            return Ok((vec![sqlite], Some(word.to_owned())));
        }
        let postgres = Postgres::start_with(settings).await;
        for database in ["functions", "native", NEST] {
            postgres.run(&format!("CREATE DATABASE {database}"));
        }
        let postgres = Self {
            kind: RecordKind::Postgres,
            name: "Postgres",
            postgres: Some(postgres),
            native: Record::new(),
        };
        Ok((vec![sqlite, postgres], None))
    }

    /// The backends of [`Backend::all`] that the command line selects.
    pub async fn chosen(args: &Args, settings: &[&str]) -> Result<(Vec<Self>, Option<String>)> {
        let (mut backends, word) = Self::all(settings).await?;
        backends.retain(|backend| args.record.is_none_or(|kind| kind == backend.kind));
        Ok((backends, word))
    }

    /// The functions with this record.
    pub async fn functions(&self, redis: &RedisServer) -> Functions {
        self.start(Functions::with(redis)).await
    }

    /// Functions with this record and a further setup.
    pub async fn start(&self, setup: Setup) -> Functions {
        let setup = match &self.postgres {
            None => setup,
            Some(postgres) => setup
                .variable("record", "postgres")
                .variable("postgres_url", postgres.url_of("functions"))
                .variable("postgres_host", postgres.address()),
        };
        let functions = setup.start().await;
        // As done once per installation.
        let token = token("an operator", "ops:write");
        functions.post("/admin/migrate", "").token(&token).send().await.expect(200);
        functions
    }

    /// Passes the location of its record to the native peer.
    pub fn name_to(&self, command: &mut Command) {
        match &self.postgres {
            None => command.arg("--sqlite").arg(self.native.path()),
            Some(postgres) => command.arg("--postgres").arg(postgres.url_of("native")),
        };
    }

    /// The server of a backend that has one.
    pub fn server(&self) -> Result<&Postgres> {
        self.postgres.as_ref().context("Postgres is not available")
    }

    /// The server, if there is one.
    pub fn pid(&self) -> Option<u32> {
        self.postgres.as_ref().map(Postgres::pid)
    }

    /// The URL for observers, if there is a server.
    pub fn watch_url(&self) -> Option<String> {
        self.postgres.as_ref().map(Postgres::url)
    }

    /// Statements run by the functions so far, counted by the server, by their first words; `None`
    /// for SQLite, which has no server.
    pub fn statements(&self) -> Option<BTreeMap<String, u64>> {
        let sql = "SELECT s.calls,
                regexp_replace(regexp_replace(s.query, '--[^\\n]*', '', 'g'), '\\s+', ' ', 'g')
            FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
            WHERE d.datname = 'functions'";
        let lines = self.postgres.as_ref()?.run(sql);
        let mut calls = BTreeMap::new();
        for (count, text) in lines.lines().filter_map(|line| line.split_once('|')) {
            let text: String = text.chars().take(STATEMENT_CHARS).collect();
            *calls.entry(text).or_default() += count.parse().unwrap_or(0);
        }
        Some(calls)
    }

    /// Prepares the counts of [`Backend::statements`]; needs the setting [`COUNTING`].
    pub fn count_statements(&self) {
        if let Some(postgres) = &self.postgres {
            postgres.run("CREATE EXTENSION pg_stat_statements");
        }
    }
}

/// The database of the peer in NestJS.
pub const NEST: &str = "nest";

/// Enough text to identify a statement.
const STATEMENT_CHARS: usize = 60;

/// Postgres counts statements.
pub const COUNTING: &str = "shared_preload_libraries=pg_stat_statements";
/// Postgres writes a commit to the disk before it answers, as in production and as SQLite does.
pub const DURABLE: &str = "fsync=on";
