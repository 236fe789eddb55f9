//! `create`: creates per second, compared with an equivalent native service on the same machine,
//! Redis and kind of record.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use support::process::Process;
use support::{Http, RedisServer, eventually, jwt, ports};

use crate::cli::Args;
use crate::measure::{COLUMNS, HELD, Pids, Subject, in_turns, verdict};
use crate::records::{Backend, DURABLE};
use crate::scenarios::{Users, address, ratios};
use support::table::Table;

/// The goal.
const GOAL: f64 = 0.5;

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let mut table = Table::new("create: POST /notifications, 1,000 users", COLUMNS);
    let (backends, word) = Backend::chosen(args, &[DURABLE]).await?;
    let mut bars = Vec::new();
    for backend in &backends {
        let redis = RedisServer::start().await;
        let functions = backend.functions(&redis).await;
        let native = Native::start(&redis, backend).await?;
        let database = backend.pid();
        let pids = Pids { server: native.process.pid(), redis: redis.pid(), database };
        let subjects = [
            Subject {
                name: format!("native axum, {}", backend.name),
                load: Users("native").creates(native.address),
                pids,
            },
            Subject {
                name: format!("functions, {}", backend.name),
                load: Users("webass").creates(address(&functions)?),
                pids: Pids { server: functions.pid(), ..pids },
            },
        ];
        check_same_answer(&functions, &native.http).await?;
        let series = in_turns(args, &subjects, async |_| Ok(())).await?;
        let [peer, ours] = &series[..] else { anyhow::bail!("a series is missing") };
        table.rows.push(peer.cells(None));
        table.rows.push(ours.cells(Some(peer)));
        let what = format!("{} / {}", ours.name, peer.name);
        table.note(verdict(&what, ours.speed_beside(peer), GOAL));
        bars.push(ours.speed_bar(backend.name, peer, Some(GOAL)));
    }
    table.note(HELD);
    table.notes.extend(word);
    table.charts.push(ratios(
        args,
        "create",
        "Creates per second beside a native service",
        "the same work in axum without WASM",
        bars,
    ));
    Ok(vec![table])
}

/// The peer, a second process of this program.
struct Native {
    process: Process,
    address: SocketAddr,
    http: Http,
}

impl Native {
    async fn start(redis: &RedisServer, backend: &Backend) -> Result<Self> {
        let port = ports::free();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["native", "--port", &port.to_string()]);
        command.args(["--redis", &redis.url(), "--key", jwt::KEY]);
        backend.name_to(&mut command);
        let mut process = Process::start("native", &mut command);
        eventually("the native peer serves", async || {
            assert!(process.exit_status().is_none(), "{}", process.output());
            process.has_printed("Serving").then_some(())
        })
        .await;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { process, address, http: Http::plain(&address.to_string()) })
    }
}

/// Checks that both answers have the same members, in the same order, with the same values where
/// possible.
async fn check_same_answer(functions: &Http, native: &Http) -> Result<()> {
    let token = jwt::token("a service", "notifications:write");
    let mut shown = Vec::new();
    // Separate users: one feed in one Redis cannot belong to two records.
    for (http, users) in [(functions, Users("spin")), (native, Users("axum"))] {
        let call = http.post("/notifications", users.body(0, 0)).token(&token);
        let answer = call.send().await.expect(201);
        let notification = answer.json();
        let mut text = answer.text().to_owned();
        for own in ["id", "userId", "createdAt"] {
            let value = notification[own].as_str().context("a member is missing")?;
            text = text.replace(value, own);
        }
        let id = notification["id"].as_str().unwrap_or_default();
        ensure!(answer.header("location").ends_with(id), "{answer:?}");
        shown.push(text);
    }
    ensure!(shown[0] == shown[1], "the answers differ: {shown:#?}");
    Ok(())
}
