//! How Postgres runs the statement of a batch.

use serde_json::json;
use support::paths::workspace;

use super::{Database, each_database};

/// A batch of the largest size, each notification for another user.
const USERS: usize = 500;

/// The planner expects one row where there are 500; compared in pairs they take most of the time of
/// the statement.
#[tokio::test]
async fn a_batch_is_not_compared_in_pairs() {
    let path = workspace().join("functions/runtime/sql/postgres/create_batch.sql");
    let statement = std::fs::read_to_string(path).unwrap();
    for on in each_database().await {
        let postgres = match &on.database {
            Database::Postgres(postgres) => postgres,
            Database::Sqlite(_) => continue,
        };
        // Makes the tables.
        on.batch(vec![json!({"userId": "a", "title": "t"})]).await;
        let row =
            |at: usize| json!([format!("u-{at}"), format!("id-{at}"), "t", null, null, null, 1]);
        let rows: Vec<_> = (0..USERS).map(row).collect();
        let statement = statement.replace("$1", &format!("'{}'", json!(rows)));
        let plan =
            postgres.run(&format!("BEGIN; EXPLAIN (ANALYZE, TIMING OFF) {statement}; ROLLBACK"));
        assert!(plan.contains(&format!("rows={USERS} ")), "{plan}");
        assert!(!plan.contains("Rows Removed by Join Filter"), "{plan}");
    }
}
