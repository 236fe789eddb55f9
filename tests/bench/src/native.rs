//! The native peer of `create`: an equivalent service in Rust without WASM. axum, exactly the same
//! SQL text and Lua, the same checks and the same answer.
//!
//! Does all the work of the functions per create. It omits rare cases (a cold feed, a gap, an
//! idempotency key) and answers them `pending`, which fails the benchmark. Every request's token is
//! verified, which natively costs a few microseconds.

mod feed;
mod postgres;
mod sqlite;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use shared::auth::{KeyConfig, KeySet, Scope};
use shared::json::Object;
use shared::limits::REQUEST_BYTES_MAX;
use shared::notification::{Draft, Notification};
use shared::{Code, Error};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::cli::NativeArgs;
use feed::Feed;
use postgres::Postgres;
use sqlite::Sqlite;

struct Service {
    keys: KeySet,
    record: Record,
    feed: Feed,
}

enum Record {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The record's data of a committed entry.
struct Committed {
    seq: i64,
    epoch: String,
}

/// Serves until killed.
pub async fn serve(args: &NativeArgs) -> Result<()> {
    let config = KeyConfig { hs256_key: args.key.clone(), ..KeyConfig::default() };
    let record = match (&args.sqlite, &args.postgres) {
        (Some(path), _) => Record::Sqlite(Sqlite::open(path)?),
        (None, Some(url)) => Record::Postgres(Postgres::connect(url).await?),
        (None, None) => anyhow::bail!("--sqlite or --postgres is required"),
    };
    let service =
        Service { keys: KeySet::new(&config)?, record, feed: Feed::connect(&args.redis).await? };
    let router = Router::new()
        .route("/notifications", post(answer))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(Arc::new(service));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    crate::show("Serving")?;
    axum::serve(listener, router).await.context("the peer's server")
}

async fn answer(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Response {
    match service.create(&headers, &body).await {
        Ok((location, body)) => {
            let id = headers.get("x-request-id").cloned();
            let id = id.unwrap_or_else(|| header::HeaderValue::from_static("native"));
            let headers = [
                (header::CONTENT_TYPE, header::HeaderValue::from_static("application/json")),
                (header::HeaderName::from_static("x-request-id"), id),
            ];
            (StatusCode::CREATED, headers, [(header::LOCATION, location)], body).into_response()
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.code().status()).unwrap_or_default();
            (status, error.problem_json()).into_response()
        }
    }
}

impl Service {
    /// `Location` and body of the 201.
    async fn create(&self, headers: &HeaderMap, body: &[u8]) -> Result<(String, String), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let claims = self.keys.verify(token.unwrap_or_default(), now.as_secs_f64())?;
        if !claims.has(Scope::NotificationsWrite) {
            return Err(Error::new(Code::Forbidden, "the scope is required"));
        }
        let mut object = Object::parse(body)?;
        let draft = Draft::take_from(&mut object)?;
        object.finish()?;

        let created_at_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let id = Uuid::now_v7().to_string();
        let mut notification = Notification { id, seq: 0, draft, created_at_ms, quiet: None };
        let committed = match &self.record {
            Record::Sqlite(sqlite) => sqlite.create(notification.clone()).await,
            Record::Postgres(postgres) => postgres.create(&notification).await,
        };
        let committed = committed.map_err(|error| {
            eprintln!("{error:#}");
            Error::new(Code::RecordUnavailable, "the record failed")
        })?;
        notification.seq = committed.seq;
        let json = notification.to_json();
        let delivery = self.feed.push(&notification, &json, &committed.epoch).await;
        let user = &notification.draft.user_id;
        let location = format!("/users/{user}/notifications/{}", notification.id);
        Ok((location, delivery.overlay(&json, None)))
    }
}
