//! `GET /cache`: the declared resources, and what happened to them in the last day.

use resources::template::{Template, push_plain};
use resources::{Access, Resource};
use runtime::cache::{Totals, Windows};
use runtime::http::auth;
use runtime::{App, Error, Request, Response};
use serde_json::{Value, json};
use shared::auth::Scope;
use shared::time::rfc3339;

use crate::served::{Served, all};

/// Answers `{"items":[…],"since"}`, in the order of the declarations.
///
/// # Errors
/// Request errors; `redis_unavailable`; `internal` if the declarations are invalid.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    request.query(&[])?;
    let all = all()?;
    let (totals, since_ms) = Totals::read(&app.redis).await?;
    let of = |served: &Served| totals.get(&served.resource.path).copied().unwrap_or_default();
    let items: Vec<Value> = all.iter().map(|served| item(served, of(served))).collect();
    let body = json!({"items": items, "since": rfc3339(since_ms)});
    Ok(Response::json(200, body.to_string()).with("cache-control", "no-store"))
}

fn item(Served { resource, policy }: &Served, totals: Totals) -> Value {
    let Windows { fresh, stale, error, .. } = policy.windows();
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let tags: Vec<String> = resource.tags.iter().map(|tag| declared(tag, resource)).collect();
    json!({
        "resource": resource.path,
        "key": declared(&resource.key, resource),
        "tags": tags,
        "access": access(resource),
        "windowsMs": {"fresh": ms(fresh), "stale": ms(stale), "error": ms(error)},
        "hits": totals.hits,
        "stale": totals.stale,
        "misses": totals.misses,
        "fetches": totals.fetches,
        "failures": totals.failures,
        "fetchMs": fetch_ms(totals),
    })
}

/// Null without a fetch.
fn fetch_ms(totals: Totals) -> Value {
    match totals.fetch_ms.checked_div(totals.fetches) {
        Some(mean) => json!({"mean": mean, "worst": totals.worst_ms}),
        None => Value::Null,
    }
}

/// A template as it was declared, with its parameters in braces.
fn declared(template: &Template, resource: &Resource) -> String {
    let names: Vec<String> = resource.params.iter().map(|name| format!("{{{name}}}")).collect();
    template.fill(&names, push_plain)
}

fn access(resource: &Resource) -> String {
    match resource.access {
        Access::Public => "public".to_owned(),
        Access::Subject(at) => {
            format!("subject:{}", resource.params.get(at).map_or("", String::as_str))
        }
        Access::Scope => Scope::CacheRead.as_str().to_owned(),
    }
}
