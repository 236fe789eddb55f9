//! Fetches a value and writes the result to the store.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use shared::limits::{CACHE_TAG_KEEP_MS, CACHE_VALIDATOR_BYTES_MAX};
use shared::script;

use super::answer::{Answer, Content, How, Times, etag_of};
use super::fetched::{FetchError, Fetched, Previous, Validators, Value, is_json};
use super::host::{Host, unit};
use super::lookup::Lookup;
use super::reader::Reader;
use crate::ports::redis::{Arg, Redis, RedisError};

/// Freshness is shortened by up to this fraction, so that values written together do not expire
/// together. Cool-downs are exact.
const JITTER: f64 = 0.05;

/// The outcome of a fetch.
pub(super) enum Led {
    Value {
        body: String,
        times: Times,
    },
    /// The stored value is unchanged.
    Same(Times),
    Absent {
        stored: bool,
    },
    Failed(FetchError),
}

impl Led {
    pub(super) fn answer(self) -> Answer {
        match self {
            Led::Value { body, times } => {
                let Times { age_ms, fresh_ms: ttl_ms, stored, demands } = times;
                let fetched = Answer::fetched(Content::json(body), How::Miss);
                Answer { age_ms, ttl_ms, stored, demands, ..fetched }
            }
            Led::Absent { stored } => {
                Answer { stored, ..Answer::fetched(Content::Absent, How::Miss) }
            }
            // "Not modified" is invalid for a request without validators.
            Led::Same(_) => {
                let failed = FetchError::Failed("304 for a request without validators".to_owned());
                Answer::fetched(Content::Failed(failed), How::Miss)
            }
            Led::Failed(error) => Answer::fetched(Content::Failed(error), How::Miss),
        }
    }
}

impl<S: Redis + Clone + 'static, H: Host> Reader<S, H> {
    /// Fetches, writes the result and ends this reader's cache lease.
    pub(super) fn lead<F, Fut>(
        &self,
        fetch: F,
        previous: Previous,
    ) -> impl Future<Output = Led> + 'static
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let this = self.clone();
        async move {
            let begun_ms = this.host.now_ms();
            let outcome = this.fetch(fetch, previous).await;
            let cost_ms = this.host.now_ms() - begun_ms;
            this.conclude(outcome, cost_ms.max(0)).await
        }
    }

    /// Fetches without the store, after `error`.
    pub(super) async fn bypass_for<F, Fut>(&self, error: &RedisError, fetch: F) -> Answer
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        self.warn("cache_bypassed", &error.to_string());
        self.bypass(fetch, None).await
    }

    /// Fetches without a cache lease and stores nothing. If that fails, `found` is served.
    pub(super) async fn bypass<F, Fut>(&self, fetch: F, found: Option<Lookup>) -> Answer
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let led = match self.fetch(fetch, Previous::default()).await {
            Ok(Fetched::Value(value)) => {
                let fresh = match value.no_store {
                    true => Duration::ZERO,
                    false => value.fresh.unwrap_or(self.policy.windows().fresh),
                };
                let (age_ms, fresh_ms, demands) = (ms(value.age), ms(fresh), value.demands);
                let times = Times { age_ms, fresh_ms, stored: false, demands };
                Led::Value { body: value.body, times }
            }
            Ok(Fetched::Same(_)) => Led::Same(Times::default()),
            Ok(Fetched::Absent | Fetched::AbsentFor(_)) => Led::Absent { stored: false },
            Err(error) => {
                self.warn("fetch_failed", &error.to_string());
                Led::Failed(error)
            }
        };
        match (led, found) {
            (Led::Failed(_), Some(found)) => found.serve(),
            (led, _) => Answer { how: How::Bypass, ..led.answer() },
        }
    }

    /// Runs `fetch` and counts it.
    async fn fetch<F, Fut>(&self, fetch: F, previous: Previous) -> Result<Fetched, FetchError>
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let begun_ms = self.host.now_ms();
        let fetched = self.checked(fetch, previous).await;
        if let Some(counts) = &self.counts {
            counts.fetched(self.policy.name(), self.host.now_ms() - begun_ms, fetched.is_err());
        }
        fetched
    }

    /// Runs `fetch` within the policy's timeout and checks the result.
    async fn checked<F, Fut>(&self, fetch: F, previous: Previous) -> Result<Fetched, FetchError>
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let can_be_same = !previous.validators.is_empty();
        let fetched = limited(&self.host, self.policy.fetch_deadline(), fetch(previous)).await;
        let fetched = fetched.unwrap_or(Err(FetchError::TimedOut))?;
        let failed = |problem: &str| Err(FetchError::Failed(problem.to_owned()));
        match &fetched {
            Fetched::Same(_) if !can_be_same => failed("304 for a request without validators"),
            Fetched::Value(value) if value.body.len() > self.policy.value_bytes_max() => {
                failed("the value is too large")
            }
            Fetched::Value(value) if !is_json(value.body.as_bytes()) => failed("not valid JSON"),
            _ => Ok(fetched),
        }
    }

    async fn conclude(&self, outcome: Result<Fetched, FetchError>, cost_ms: i64) -> Led {
        match outcome {
            Ok(Fetched::Value(value)) => {
                let mode = if value.no_store { "pass" } else { "value" };
                let times = self.write_value(mode, &value, cost_ms).await;
                Led::Value { body: value.body, times }
            }
            Ok(Fetched::Same(value)) => {
                // The value is valid for this answer, but must not be stored any longer.
                let mode = if value.no_store { "pass" } else { "same" };
                Led::Same(self.write_value(mode, &value, cost_ms).await)
            }
            Ok(Fetched::Absent) => self.write_absent(self.policy.windows().absent, cost_ms).await,
            Ok(Fetched::AbsentFor(time)) => self.write_absent(time, cost_ms).await,
            Err(error) => {
                self.warn("fetch_failed", &error.to_string());
                let nothing = Value { body: error.word().to_owned(), ..Value::default() };
                self.write("error", self.policy.windows().cool_down, cost_ms, &nothing, "").await;
                Led::Failed(error)
            }
        }
    }

    async fn write_absent(&self, time: Duration, cost_ms: i64) -> Led {
        let (absent, nothing) = (self.policy.windows().absent, Value::default());
        if time.is_zero() && !absent.is_zero() {
            self.write("pass", absent, cost_ms, &nothing, "").await;
            return Led::Absent { stored: false };
        }
        let stored = self.write("absent", time.min(absent), cost_ms, &nothing, "").await;
        Led::Absent { stored }
    }

    async fn write_value(&self, mode: &str, value: &Value, cost_ms: i64) -> Times {
        let declared = value.fresh.unwrap_or(self.policy.windows().fresh);
        let (fresh, etag) = match mode {
            // Other readers do not wait for a value that must not be shared: they fetch themselves.
            "pass" => (self.policy.windows().absent, String::new()),
            "same" => (self.jittered(declared), String::new()),
            _ => (self.jittered(declared), etag_of(value.body.as_bytes())),
        };
        let stored = self.write(mode, fresh, cost_ms, value, &etag).await && mode != "pass";
        let fresh_ms = if mode == "pass" { 0 } else { ms(fresh) };
        Times { age_ms: ms(value.age), fresh_ms, stored, demands: value.demands }
    }

    fn jittered(&self, fresh: Duration) -> Duration {
        fresh.mul_f64(1.0 - JITTER * unit(self.host.random()))
    }

    /// Ends the cache lease and returns whether a value was stored.
    async fn write(
        &self,
        mode: &str,
        fresh: Duration,
        cost_ms: i64,
        value: &Value,
        etag: &str,
    ) -> bool {
        let times = format!(
            "{} {} {cost_ms} {} {CACHE_TAG_KEEP_MS}",
            fresh.as_millis(),
            self.policy.keep_ms(fresh, &value.demands),
            value.age.as_millis(),
        );
        let Validators { etag: origin_etag, last_modified } = &value.validators;
        let body = if mode == "value" || mode == "error" { value.body.as_str() } else { "" };
        let demands = value.demands.to_text();
        let tags = match self.tags(true).await {
            Ok(tags) => tags,
            Err(error) => {
                self.warn("cache_not_written", &error.to_string());
                return false;
            }
        };
        let token = self.token();
        let mut args = vec![
            Arg::Text(&token),
            Arg::Text(mode),
            Arg::Text(&times),
            Arg::Text(body),
            Arg::Text(etag),
            Arg::Text(kept(origin_etag)),
            Arg::Text(kept(last_modified)),
            Arg::Text(&demands),
        ];
        args.extend(tags.iter().map(|tag| Arg::Text(tag)));
        match self.store.eval(&script::CACHE_WRITE, self.script_keys(), &args).await {
            Ok(reply) => reply.first().and_then(|status| status.text()) == Some("stored"),
            Err(error) => {
                self.warn("cache_not_written", &error.to_string());
                false
            }
        }
    }
}

/// Runs `work` for at most `limit`; `None` if it takes longer.
pub(super) async fn limited<H: Host, T>(
    host: &H,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(work), pin!(host.sleep(limit))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The validator if it can be stored, else empty: it becomes a line of the companion, and later a
/// header.
fn kept(validator: &str) -> &str {
    let is_header = !validator.contains(char::is_control);
    if is_header && validator.len() <= CACHE_VALIDATOR_BYTES_MAX { validator } else { "" }
}
