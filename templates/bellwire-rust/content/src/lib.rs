//! A component with a route of its own and a cached resource.

use std::time::Duration;

use runtime::cache::{Fetched, Policy};
use runtime::http::cached::{self, Audience};
use runtime::spin::clock;
use runtime::{App, Error, Method, Request, Response};

runtime::component!(route);

thread_local! {
    /// Fresh for 5 s; then served stale for up to 60 s while one reader anywhere refreshes it.
    static TIME: Policy =
        Policy::new("time").fresh(Duration::from_secs(5)).stale(Duration::from_secs(60));
}

async fn route(app: &App, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["{{project-name | kebab_case}}"], Method::Get) => Ok(Response::json(200, r#"{"hello":"world"}"#)),
        (["{{project-name | kebab_case}}", "time"], Method::Get) => time(app, request).await,
        (["{{project-name | kebab_case}}"] | ["{{project-name | kebab_case}}", "time"], _) => Err(Error::method_not_allowed("GET, HEAD")),
        _ => Err(Error::not_found("this path")),
    }
}

/// The time at which the value was made: it changes when the value is refreshed.
async fn time(app: &App, request: &Request) -> Result<Response, Error> {
    let tags = ["clocks".to_owned()];
    let resource = cached::Resource { key: "{{project-name | kebab_case}}:time", tags: &tags, audience: Audience::Public };
    // A real component asks a database or an origin here.
    let fetch = async |_known| Ok(Fetched::json({% raw %}format!(r#"{{"unixMs":{}}}"#, clock::now_ms()){% endraw %}));
    cached::read(app.cache(), request, resource, &TIME.with(Policy::clone), fetch).await
}
