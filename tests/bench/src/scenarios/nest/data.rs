//! The data that both sides serve.

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use crate::records::{Backend, NEST};

/// Entries of a feed: more than a page.
pub(super) const ENTRIES: usize = 25;
const BLOGS: usize = 12;
/// Characters of a profile, so that it has about as many bytes as the blogs.
const ABOUT_CHARS: usize = 850;
pub(super) const CAMPAIGN: &str = "bench";
const CAMPAIGN_S: i64 = 24 * 3600;
const POPS_PAGE: usize = 1_000;

/// The cached values.
pub(super) const RESOURCES: &str = r#"
[[resource]]
path = "all_blogs"
access = "public"
fresh = "300s"
[resource.sql]
query = """
SELECT json_agg(json_build_object('id', id, 'title', title, 'author', author) ORDER BY id)::text
FROM blogs
"""

[[resource]]
path = "all_blogs/copied"
access = "public"
fresh = "300s"
local = "250ms"
[resource.sql]
query = """
SELECT json_agg(json_build_object('id', id, 'title', title, 'author', author) ORDER BY id)::text
FROM blogs
"""

[[resource]]
path = "profile/{userId}"
key = "profile:{userId}"
access = "subject:userId"
fresh = "1h"
[resource.sql]
query = """
SELECT json_build_object('userId', user_id, 'name', name, 'about', about)::text
FROM profiles WHERE user_id = {userId}
"""
"#;

/// The sources of the cached values, in both databases.
pub(super) fn fill_databases(postgres: &Backend, readers: &[String]) -> Result<()> {
    let server = postgres.server()?;
    server.run_in(
        "functions",
        "CREATE TABLE blogs (id SERIAL PRIMARY KEY, title TEXT NOT NULL, author TEXT NOT NULL);
        CREATE TABLE profiles (user_id TEXT PRIMARY KEY, name TEXT NOT NULL, about TEXT NOT NULL)",
    );
    let names: Vec<String> = readers.iter().map(|name| format!("('{name}')")).collect();
    let names = names.join(",");
    for database in ["functions", NEST] {
        server.run_in(
            database,
            &format!(
                "INSERT INTO blogs (title, author) SELECT 'A post about Redis, number ' || n, \
                'author ' || n FROM generate_series(1, {BLOGS}) AS n; \
                INSERT INTO profiles (user_id, name, about) SELECT name, 'Reader ' || name, \
                repeat('x', {ABOUT_CHARS}) FROM (VALUES {names}) AS readers (name)"
            ),
        );
    }
    Ok(())
}

/// Fills the campaign's list as another service does.
pub(super) async fn fill_campaign(mut redis: MultiplexedConnection, users: usize) -> Result<()> {
    let key = format!("campaign:{CAMPAIGN}");
    redis::cmd("DEL").arg(&key).exec_async(&mut redis).await?;
    let all: Vec<usize> = (0..users).collect();
    for page in all.chunks(POPS_PAGE) {
        let user = |at: &usize| {
            json!({"userId": format!("user-{at}"), "fcmToken": format!("{at:0>40}")}).to_string()
        };
        let page: Vec<String> = page.iter().map(user).collect();
        let mut pipeline = redis::pipe();
        pipeline.cmd("RPUSH").arg(&key).arg(page).ignore();
        pipeline.cmd("EXPIRE").arg(&key).arg(CAMPAIGN_S).ignore();
        pipeline.exec_async(&mut redis).await.context("the list of the campaign")?;
    }
    Ok(())
}
