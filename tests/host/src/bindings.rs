//! The Rust side of the WIT in `wit/`. Generated; the behaviour is in `postgres`, `redis`, `sqlite`
//! and `variables`.

wasmtime::component::bindgen!({
    path: "wit",
    world: "bellwire:host/imports",
    imports: { default: async | trappable },
    with: {
        "spin:postgres/postgres.connection": crate::postgres::PostgresConnection,
        "spin:postgres/postgres.connection-builder": crate::postgres::PostgresConnectionBuilder,
        "spin:redis/redis.connection": crate::redis::RedisConnection,
        "spin:sqlite/sqlite.connection": crate::sqlite::SqliteConnection,
    },
});

pub(crate) use spin::postgres::postgres;
pub(crate) use spin::redis::redis;
pub(crate) use spin::sqlite::sqlite;
pub(crate) use spin::variables::variables;
