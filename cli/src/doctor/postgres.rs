//! Postgres itself: whether it takes writes and has enough connections.

use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::look::Look;
use super::part::Part;
use super::report::Findings;
use crate::output::counted;
use crate::tls;

/// Connections of one host of functions: 64 for each of the six components that use the record
/// (docs/operations.md, "Sizing").
const CONNECTIONS_PER_HOST: i64 = 384;

/// What Postgres says about itself.
struct Facts {
    version: String,
    connections: i64,
    connections_max: i64,
    is_standby: bool,
    has_tables: bool,
}

pub async fn check(url: &str, hosts: u32, look: &Look<'_>) -> Findings {
    let (mut findings, limit) = (Findings::default(), look.short_limit());
    let fix = "correct --postgres-url or BELLWIRE_POSTGRES_URL, or look at Postgres";
    let Ok(config) = url.parse::<Config>() else {
        // The parser's error could quote the password.
        findings.wrong("Postgres", "the URL is invalid (postgres://user@host:port/db)", fix);
        return findings;
    };
    match timeout(limit, facts(&config)).await {
        Ok(Ok(facts)) => judge(&facts, hosts, &mut findings),
        Ok(Err(problem)) => findings.broken(Part::Record, "Postgres", problem, fix),
        Err(_) => {
            let detail = format!("it does not answer within {} s", limit.as_secs_f64());
            findings.broken(Part::Record, "Postgres", detail, fix);
        }
    }
    findings
}

async fn facts(config: &Config) -> Result<Facts, String> {
    let client = connect(config).await?;
    let sql = "SELECT current_setting('server_version'), \
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
               current_setting('max_connections')::bigint, pg_is_in_recovery(), \
               to_regclass('bellwire.notifications') IS NOT NULL";
    let row = client.query_one(sql, &[]).await.map_err(|error| text(&error))?;
    let get = |error: tokio_postgres::Error| text(&error);
    Ok(Facts {
        version: row.try_get(0).map_err(get)?,
        connections: row.try_get(1).map_err(get)?,
        connections_max: row.try_get(2).map_err(get)?,
        is_standby: row.try_get(3).map_err(get)?,
        has_tables: row.try_get(4).map_err(get)?,
    })
}

/// A connection, with TLS unless the URL has `sslmode=disable`, as the functions make it.
async fn connect(config: &Config) -> Result<Client, String> {
    if config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(|error| text(&error))?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let tls = tls::config(true).map_err(|failure| failure.detail)?;
    let connecting = config.connect(MakeRustlsConnect::new(tls));
    let (client, connection) = connecting.await.map_err(|error| text(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

/// An error with its cause, which says most.
fn text(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn judge(facts: &Facts, hosts: u32, findings: &mut Findings) {
    findings.ok("Postgres", format!("version {}", facts.version));
    if facts.is_standby {
        let fix = "creates need the primary: docs/operations.md, \"Postgres with a standby\"";
        findings.wrong("Postgres role", "it is a standby, and read-only", fix);
    }
    if !facts.has_tables {
        let fix = "the first call that needs them makes them, or POST /admin/migrate";
        findings.warning("Postgres tables", "the record has none yet", fix);
    }
    let (now, most) = (facts.connections, facts.connections_max);
    let needed = i64::from(hosts) * CONNECTIONS_PER_HOST;
    let hosts = counted(u64::from(hosts), "host", "hosts");
    let detail = format!("{now} of {most} are open; {hosts} of functions may open {needed}");
    let fix = "raise max_connections, or let Spin use fewer: docs/operations.md, \"Sizing\"";
    match () {
        () if now * 10 > most * 9 => findings.wrong("Postgres connections", detail, fix),
        () if needed > most => findings.warning("Postgres connections", detail, fix),
        () => findings.ok("Postgres connections", detail),
    }
}
