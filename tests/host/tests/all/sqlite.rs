//! SQLite as components see it through the host.

use crate::support::Host;

#[tokio::test]
async fn statements_run_and_report_rows_columns_and_changes() {
    let host = Host::start(&[]).await;
    let statements = "default\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)\n\
                      INSERT INTO t (b) VALUES ('x'), ('y')\nSELECT a, b FROM t";
    let answer = host.ok("/sqlite", statements).await;
    let expected = "columns [] rows 0 verdict Ok(()) changes 0\n\
                    columns [] rows 0 verdict Ok(()) changes 2\n\
                    columns [\"a\", \"b\"] rows 2 verdict Ok(()) changes 2\n";
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn another_host_on_the_same_state_directory_reads_the_data() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let first = Host::start(&["--state-dir", state]).await;
    first.ok("/sqlite", "default\nCREATE TABLE t (a)\nINSERT INTO t VALUES (1)").await;
    drop(first);
    let second = Host::start(&["--state-dir", state]).await;
    let answer = second.ok("/sqlite", "default\nSELECT a FROM t").await;
    assert!(answer.contains("rows 1"), "{answer}");
    assert!(std::path::Path::new(state).join("sqlite_db.db").is_file());
}

#[tokio::test]
async fn an_invalid_statement_fails_in_the_verdict() {
    let host = Host::start(&[]).await;
    let answer = host.ok("/sqlite", "default\nSELECT nonsense FROM nowhere").await;
    assert!(answer.starts_with("columns [] rows 0 verdict Err("), "{answer}");
    assert!(answer.contains("no such table: nowhere"), "{answer}");
}

#[tokio::test]
async fn an_error_in_the_middle_comes_after_the_earlier_rows() {
    let host = Host::start(&[]).await;
    let statement = "default\nSELECT abs(n) FROM (SELECT 1 AS n UNION ALL \
                     SELECT -9223372036854775808)";
    let answer = host.ok("/sqlite", statement).await;
    assert!(answer.contains("rows 1 verdict Err("), "{answer}");
}

#[tokio::test]
async fn unread_rows_block_the_connection() {
    let host = Host::start(&[]).await;
    let answer = host.ok("/sqlite-undrained", "").await;
    assert_eq!(answer, "blocked, then 10 rows, then free");
}

#[tokio::test]
async fn a_component_without_the_database_is_denied() {
    let host = Host::start(&[]).await;
    let denied = host.ok("/denied/sqlite", "default").await;
    assert!(denied.contains("AccessDenied"), "{denied}");
    let unknown = host.ok("/sqlite", "nothing").await;
    assert!(unknown.contains("AccessDenied"), "{unknown}");
}

#[tokio::test]
async fn other_files_cannot_be_attached() {
    let host = Host::start(&[]).await;
    let answer = host.ok("/sqlite", "default\nATTACH DATABASE '/tmp/other.db' AS o").await;
    assert!(answer.contains("not authorized"), "{answer}");
}
