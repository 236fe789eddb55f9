//! `GET`, `HEAD` and `DELETE /cache/…`, `POST /cache/invalidate` and `/cache/read`.

mod access;
mod copies;
mod demands;
mod faults;
mod flight;
mod headers;
mod invalidate;
mod origin_headers;
mod origins;
mod page;
mod resources;
mod rfc9111;
mod sql;
mod stale;
mod summary;
mod typed;

use support::functions::Setup;
use support::{Functions, Origin, Plan, RedisServer};

/// Resources of one origin, all for everybody unless they say otherwise.
pub const RESOURCES: &str = r#"
[[resource]]
path = "fresh"
access = "public"
fresh = "100s"
tags = ["all"]
http = { url = "http://{{ settings_host }}/fresh", honour_cache_control = false }

[[resource]]
path = "stale"
access = "public"
fresh = "0s"
stale = "100s"
tags = ["all"]
http = { url = "http://{{ settings_host }}/stale" }

[[resource]]
path = "expired"
access = "public"
fresh = "0s"
stale = "0s"
error = "100s"
cool_down = "60s"
soft_timeout = "300ms"
timeout = "2s"
http = { url = "http://{{ settings_host }}/expired" }

[[resource]]
path = "item/{id}"
access = "public"
fresh = "100s"
timeout = "1s"
cool_down = "1s"
absent = "60s"
tags = ["item:{id}", "all", "of-{id}:{id}-{id}"]
http = { url = "http://{{ settings_host }}/items/{id}?of={id}" }

[[resource]]
path = "mine/{userId}"
access = "subject:userId"
fresh = "100s"
http = { url = "http://{{ settings_host }}/users/{userId}" }

[[resource]]
path = "internal"
fresh = "100s"
http = { url = "http://{{ settings_host }}/internal" }
"#;

/// Functions with these resources, a Redis, and the origin.
pub struct World {
    pub redis: RedisServer,
    pub origin: Origin,
    pub functions: Functions,
}

impl World {
    pub async fn start() -> Self {
        let (redis, origin) = (RedisServer::start().await, Origin::start().await);
        let functions = setup(&redis, &origin).start().await;
        Self { redis, origin, functions }
    }

    pub async fn get(&self, path: &str) -> support::Answer {
        self.functions.get(&format!("/cache/{path}")).send().await
    }

    /// Waits until a background refresh is over.
    pub async fn refreshed(&self, key: &str, fetches: usize) {
        let lease = shared::keys::cache_lease(key);
        support::eventually("the refresh ends", async || {
            let held: i64 = self.redis.run_words(&["EXISTS", &lease]).await;
            (self.origin.count() >= fetches && held == 0).then_some(())
        })
        .await;
        assert_eq!(self.origin.count(), fetches);
    }
}

pub fn setup(redis: &RedisServer, origin: &Origin) -> Setup {
    Functions::with(redis).resources(RESOURCES).variable("settings_host", origin.address())
}

/// The value of a request that was answered by the origin's nth fetch.
pub fn nth(n: usize) -> String {
    Plan::default().body.replace("{n}", &n.to_string())
}
