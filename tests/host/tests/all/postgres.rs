//! Postgres as components see it through the host: statements, values and errors.

use std::time::{Duration, Instant};

use support::postgres::Postgres;

use crate::support::Host;

pub(crate) async fn host_with(postgres: &Postgres) -> Host {
    Host::start(&["--variable", &format!("postgres_host={}", postgres.address())]).await
}

async fn started() -> (Postgres, Host) {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    (postgres, host)
}

/// A route's answer to the address and the following lines.
pub(crate) async fn ask(host: &Host, route: &str, postgres: &Postgres, lines: &[&str]) -> String {
    let body = format!("{}\n{}", postgres.url(), lines.join("\n"));
    host.ok(route, &body).await
}

/// One statement's columns, rows and verdict.
async fn query(host: &Host, postgres: &Postgres, line: &str) -> String {
    ask(host, "/postgres", postgres, &[line]).await.trim_end().to_owned()
}

#[tokio::test]
async fn every_kind_of_value_makes_a_round_trip() {
    let (postgres, host) = started().await;
    let answer = host.ok("/postgres-types", &postgres.url()).await;
    let expected = [
        "bool: DbValue::Boolean(true)",
        "int2: DbValue::Int16(-32768)",
        "int4: DbValue::Int32(-2147483648)",
        "int8: DbValue::Int64(-9223372036854775808)",
        "float4: DbValue::Floating32(1.5)",
        "float8: DbValue::Floating64(-0.1)",
        "text: DbValue::Str(\"h\u{e9}llo\")",
        "varchar: DbValue::Str(\"var\")",
        "char(4): DbValue::Str(\"ab  \")",
        "bytea: DbValue::Binary([0, 255])",
        "date: DbValue::Date((-44, 3, 15))",
        "time: DbValue::Time((23, 59, 58, 123456000))",
        // Postgres stores microseconds.
        "timestamp: DbValue::Datetime((2026, 11, 21, 23, 59, 58, 123456000))",
        "uuid: DbValue::Uuid(\"12341234-1234-1234-1234-1234123412ab\")",
        &format!("jsonb: DbValue::Jsonb({:?})", br#"{"a":[null],"b":1.0}"#),
        "numeric: DbValue::Decimal(\"-1234567890.0500\")",
        "int4range: DbValue::RangeInt32((Some((2, RangeBoundKind::Inclusive)), None))",
        "int8range: DbValue::RangeInt64((Some((1, RangeBoundKind::Inclusive)), \
         Some((6, RangeBoundKind::Exclusive))))",
        "numrange: DbValue::RangeDecimal((Some((\"0.5\", RangeBoundKind::Inclusive)), \
         Some((\"1.25\", RangeBoundKind::Inclusive))))",
        "int4[]: DbValue::ArrayInt32([Some(1), None])",
        "int8[]: DbValue::ArrayInt64([Some(1), None])",
        "numeric[]: DbValue::ArrayDecimal([Some(\"1.10\"), None])",
        "text[]: DbValue::ArrayStr([Some(\"a\"), None])",
        "interval: DbValue::Interval(Interval { micros: 1, days: 2, months: 3 })",
        "int4: DbValue::DbNull",
    ];
    let mut lines = answer.lines();
    for expected in expected {
        assert_eq!(lines.next(), Some(expected));
    }
    let timestamptz = lines.next().unwrap_or_default();
    assert!(timestamptz.contains("and the Postgres type `timestamptz`"), "{timestamptz}");
}

#[tokio::test]
async fn other_types_arrive_as_bytes_and_some_values_do_not_arrive() {
    let (postgres, host) = started().await;
    let statement = r#"SELECT '{}'::json, 'a'::name, 1::oid, pg_notify('c', ''), NULL::json"#;
    assert_eq!(
        query(&host, &postgres, statement).await,
        r#"["json", "name", "oid", "pg_notify", "json"] [DbValue::Unsupported([123, 125]), "#
            .to_owned()
            + "DbValue::Unsupported([97]), DbValue::Unsupported([0, 0, 0, 1]), \
               DbValue::Unsupported([]), DbValue::DbNull] Ok(())"
    );
    for value in ["now()", "NULL::timestamptz", "'NaN'::numeric", "'infinity'::timestamp"] {
        let answer = query(&host, &postgres, &format!("SELECT {value} AS a")).await;
        let start = r#"["a"] Err(PgError(Error::QueryFailed(QueryError::Text("error deserializing"#;
        assert!(answer.starts_with(start), "{value}: {answer}");
    }
    let seconds = query(&host, &postgres, "SELECT extract(epoch FROM now())::int8 > 0 AS a").await;
    assert_eq!(seconds, r#"["a"] [DbValue::Boolean(true)] Ok(())"#);
}

#[tokio::test]
async fn a_parameter_must_have_the_type_of_the_statement() {
    let (postgres, host) = started().await;
    let refused = [
        ("SELECT $1::int8 ;; int32 1", r#"WrongType { postgres: Int8, rust: \"i32\" }"#),
        ("SELECT $1::int4 ;; int64 1", r#"WrongType { postgres: Int4, rust: \"i64\" }"#),
        ("SELECT $1 + 1 ;; int64 1", r#"WrongType { postgres: Int4, rust: \"i64\" }"#),
        ("SELECT 1 LIMIT $1 ;; int32 1", r#"WrongType { postgres: Int8, rust: \"i32\" }"#),
        ("SELECT $1::timestamptz ;; str 2026-01-01", "WrongType { postgres: Timestamptz"),
        ("SELECT $1::timestamptz ;; datetime", "WrongType { postgres: Timestamptz"),
        ("SELECT $1::jsonb ;; str {}", "WrongType { postgres: Jsonb"),
        ("SELECT $1::int4 ;; int32 1 ;; int32 2", "Parameters(2, 1)"),
        ("SELECT $1::uuid ;; uuid nope", "Error::BadParameter(\"invalid UUID nope"),
        ("SELECT $1::date ;; invalid-date", "Error::BadParameter(\"invalid date y=2026"),
        ("SELECT $1::jsonb ;; jsonb {", "Error::BadParameter(\"invalid JSON {"),
        ("SELECT $1::int4range ;; range-int32 2147483647", "out of range"),
    ];
    for (line, text) in refused {
        let answer = query(&host, &postgres, line).await;
        assert!(answer.starts_with("at once: ") && answer.contains(text), "{line}: {answer}");
    }
    let accepted = [
        ("SELECT $1::int8::int4 AS a ;; int64 1", "Int32(1)"),
        ("SELECT $1 + 1::int8 AS a ;; int64 1", "Int64(2)"),
        ("SELECT $1 AS a ;; str x", r#"Str("x")"#),
        ("SELECT $1::text::timestamptz = '2026-01-01' AS a ;; str 2026-01-01", "Boolean(true)"),
        ("SELECT $1::timestamptz = 'epoch' AS a ;; timestamp 0", "Boolean(true)"),
        ("SELECT ($1::text::jsonb ->> 'k') AS a ;; str {\"k\":1}", r#"Str("1")"#),
        ("SELECT $1::jsonb::text AS a ;; null", "DbNull"),
    ];
    for (line, value) in accepted {
        let expected = format!(r#"["a"] [DbValue::{value}] Ok(())"#);
        assert_eq!(query(&host, &postgres, line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn an_error_in_the_statement_is_returned_at_once() {
    let (postgres, host) = started().await;
    let cases = [
        ("SELECT nonsense", "42703"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT 1; SELECT 2", "42601"),
        // Computed during planning.
        ("SELECT 1/0", "22012"),
    ];
    for (line, code) in cases {
        let answer = query(&host, &postgres, line).await;
        let code = format!("severity: \"ERROR\", code: \"{code}\"");
        assert!(answer.starts_with("at once: ") && answer.contains(&code), "{line}: {answer}");
    }
}

#[tokio::test]
async fn an_error_of_a_running_statement_is_its_verdict_after_the_earlier_rows() {
    let (postgres, host) = started().await;
    let line = "SELECT 1/(3-n) AS a FROM generate_series(1, 5) AS n";
    let answer = query(&host, &postgres, line).await;
    let start = r#"["a"] [DbValue::Int32(0)] [DbValue::Int32(1)] Err("#;
    assert!(answer.starts_with(start) && answer.contains("code: \"22012\""), "{answer}");

    postgres.run("CREATE TABLE t (id int8 PRIMARY KEY)");
    let insert = "INSERT INTO t VALUES (1) RETURNING id";
    let first = query(&host, &postgres, insert).await;
    assert_eq!(first, r#"["id"] [DbValue::Int64(1)] Ok(())"#);
    let second = query(&host, &postgres, insert).await;
    assert!(second.starts_with("[] Err("), "{second}");
    assert!(second.contains(r#"("constraint", "t_pkey")"#), "{second}");
    assert!(second.contains(r#"detail: Some("Key (id)=(1) already exists.")"#), "{second}");
}

#[tokio::test]
async fn a_statement_may_change_data_and_return_rows() {
    let (postgres, host) = started().await;
    postgres.run("CREATE TABLE t (id int8 PRIMARY KEY, text text)");
    let line = "WITH new AS (INSERT INTO t SELECT n, $1::text FROM generate_series(1, $2::int4) n \
                RETURNING id) SELECT count(*) AS n, max(id) FROM new ;; str x ;; int32 3";
    let answer = query(&host, &postgres, line).await;
    assert_eq!(answer, r#"["n", "max"] [DbValue::Int64(3), DbValue::Int64(3)] Ok(())"#);
    assert_eq!(postgres.run("SELECT string_agg(text, '') FROM t"), "xxx");
    // The columns are known only from the first row.
    assert_eq!(query(&host, &postgres, "SELECT id FROM t WHERE id > 3").await, "[] Ok(())");
}

#[tokio::test]
async fn execute_counts_rows() {
    let (postgres, host) = started().await;
    postgres.run("CREATE TABLE t (id int8 PRIMARY KEY)");
    let insert = ["INSERT INTO t VALUES (1), ($1) ON CONFLICT DO NOTHING ;; int64 2"];
    assert_eq!(ask(&host, "/postgres-execute", &postgres, &insert).await, "Ok(2)");
    assert_eq!(ask(&host, "/postgres-execute", &postgres, &insert).await, "Ok(0)");
    let violation = ["INSERT INTO t VALUES (1)"];
    let violation = ask(&host, "/postgres-execute", &postgres, &violation).await;
    assert!(violation.contains("code: \"23505\""), "{violation}");
    // Not `BadParameter`, as for a query.
    let invalid = ["SELECT $1::uuid ;; uuid nope"];
    let invalid = ask(&host, "/postgres-execute", &postgres, &invalid).await;
    assert!(invalid.contains("Error::ValueConversionFailed(\"invalid UUID nope"), "{invalid}");
}

#[tokio::test]
async fn the_blocking_functions_return_the_same() {
    let (postgres, host) = started().await;
    postgres.run("CREATE TABLE t (id int4)");
    let lines = ["INSERT INTO t VALUES ($1) RETURNING id ;; int32 7", "SELECT 1/(id-7) FROM t"];
    let answer = ask(&host, "/postgres-sync", &postgres, &lines).await;
    let start = "query Ok((1, [[DbValue::Int32(7)]]))\nexecute Ok(1)\n\
                 query Err(Error::QueryFailed(QueryError::Text(\"Error::QueryFailed(";
    assert!(answer.starts_with(start), "{answer}");
    let last = answer.lines().next_back().unwrap_or_default();
    assert!(last.starts_with("execute Err(Error::QueryFailed(QueryError::DbError("), "{last}");
}

#[tokio::test]
async fn many_unread_rows_block_their_connection() {
    let (postgres, host) = started().await;
    let few = ["SELECT n FROM generate_series(1, 12) AS n"];
    let few = ask(&host, "/postgres-undrained", &postgres, &few).await;
    assert_eq!(few, "free, 12 rows Ok(()), then 1");
    let many = ["SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) AS n"];
    let many = ask(&host, "/postgres-undrained", &postgres, &many).await;
    assert_eq!(many, "blocked, 5000 rows Ok(()), then 1");
}

#[tokio::test]
async fn dropping_the_rows_loses_the_verdict() {
    let (postgres, host) = started().await;
    // The second row is so large that the server sends the first one before it computes the third.
    let error_later = "SELECT n, repeat('x', CASE n WHEN 2 THEN 100000 ELSE 1 END), \
                       CASE n WHEN 3 THEN pg_sleep(3)::text || (1/(n-3))::text END \
                       FROM generate_series(1, 3) AS n";
    let begun = Instant::now();
    let answer = ask(&host, "/postgres-first-row", &postgres, &[error_later]).await;
    assert!(answer.ends_with(" Ok(())"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
