//! `bellwire cache`: reads and invalidates cached resources.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Context;
use crate::api::{Answer, Api, Call};
use crate::args::{CacheCommand, CacheGet, CacheInvalidate};
use crate::failure::{Failure, Outcome};
use crate::output::{DIM, counted, note, paint};

pub async fn run(context: &Context, command: &CacheCommand) -> Outcome {
    match command {
        CacheCommand::Get(args) => get(context, args).await,
        CacheCommand::Invalidate(args) => invalidate(context, args).await,
    }
}

async fn get(context: &Context, args: &CacheGet) -> Outcome {
    // A public resource needs none.
    let token = context.settings.token.read().ok();
    let api = Api::new(&context.settings.url, token, context.settings.timeout)?;
    let answer = api.send(Call::get(cache_path(&args.path)?)).await?;
    if !context.output.json {
        let header = |name| answer.header(name).unwrap_or_default();
        let (status, age) = (freshness(header("cache-status")), header("age"));
        context.output.json_text(answer.text()?)?;
        note(paint(DIM, format!("{status}; age {age} s")));
        return Ok(());
    }
    let value: Box<RawValue> = answer.json()?;
    let header = |name| answer.header(name).map(str::to_owned);
    let head = json!({
        "path": args.path,
        "etag": header("etag"),
        "age": header("age").and_then(|age| age.parse::<u64>().ok()),
        "cacheStatus": header("cache-status"),
    });
    Ok(context.output.json_text(&with_value(&head, &value)?)?)
}

/// A `Cache-Status` for people: its `ttl` as the time for which the value is fresh, or has been stale.
fn freshness(status: &str) -> String {
    let shown = |part: &str| match part.strip_prefix("ttl=").map(str::parse::<i64>) {
        Some(Ok(ttl)) if ttl < 0 => format!("stale for {} s", ttl.unsigned_abs()),
        Some(Ok(ttl)) => format!("fresh for {ttl} s"),
        _ => part.to_owned(),
    };
    status.split("; ").map(shown).collect::<Vec<String>>().join("; ")
}

/// The object with a last member `value`, whose bytes stay as they are.
fn with_value(head: &Value, value: &RawValue) -> Outcome<String> {
    let text = head.to_string();
    let open = text.strip_suffix('}').ok_or_else(|| Failure::failed("not an object"))?;
    Ok(format!("{open},\"value\":{}}}", value.get()))
}

async fn invalidate(context: &Context, args: &CacheInvalidate) -> Outcome {
    let api = context.functions()?;
    let mode = if args.soft { "soft" } else { "hard" };
    for path in &args.paths {
        api.send(Call::delete(format!("{}?mode={mode}", cache_path(path)?))).await?;
    }
    let (paths, mut tags) = (args.paths.len() as u64, 0);
    if !args.tags.is_empty() {
        let body = json!({"tags": args.tags, "mode": mode});
        let call = Call::post("/cache/invalidate").json(&body)?.repeatable();
        tags = invalidated(&api.send(call).await?)?;
    }
    if context.output.json {
        return Ok(context.output.json(&json!({ "invalidated": paths + tags }))?);
    }
    let done = if args.soft { "marked as stale" } else { "invalidated" };
    Ok(context.output.line(format!("{done}: {}", paths_and_tags(paths, tags)))?)
}

fn paths_and_tags(paths: u64, tags: u64) -> String {
    let (of_paths, of_tags) = (counted(paths, "path", "paths"), counted(tags, "tag", "tags"));
    match (paths, tags) {
        (_, 0) => of_paths,
        (0, _) => of_tags,
        _ => format!("{of_paths} and {of_tags}"),
    }
}

fn invalidated(answer: &Answer) -> Outcome<u64> {
    Ok(answer.json::<Value>()?["invalidated"].as_u64().unwrap_or_default())
}

/// The resource's path, with its segments encoded.
fn cache_path(path: &str) -> Outcome<String> {
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("cache/").unwrap_or(path);
    if path.is_empty() || path.split('/').any(str::is_empty) {
        let problem =
            format!("{path:?} is not the path of a cached resource, such as profile/alice");
        return Err(Failure::usage(problem));
    }
    Ok(path.split('/').fold("/cache".to_owned(), |all, part| all + &crate::api::join([part])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_have_the_prefix() {
        for path in ["profile/a|b", "/profile/a|b", "/cache/profile/a|b", "cache/profile/a|b"] {
            assert_eq!(cache_path(path).unwrap(), "/cache/profile/a%7Cb");
        }
        for path in ["", "/", "a//b", "a/"] {
            assert!(cache_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_value_is_fresh_or_stale_for_a_time() {
        assert_eq!(freshness("bellwire; hit; ttl=-7"), "bellwire; hit; stale for 7 s");
        let stored = freshness("bellwire; fwd=miss; stored; ttl=5");
        assert_eq!(stored, "bellwire; fwd=miss; stored; fresh for 5 s");
        for other in ["bellwire; fwd=bypass", "", "other; hit; ttl=x"] {
            assert_eq!(freshness(other), other);
        }
    }

    #[test]
    fn paths_and_tags_are_counted_each() {
        assert_eq!(paths_and_tags(1, 0), "1 path");
        assert_eq!(paths_and_tags(0, 2), "2 tags");
        assert_eq!(paths_and_tags(2, 1), "2 paths and 1 tag");
    }

    #[test]
    fn values_keep_their_bytes() {
        let value: Box<RawValue> = serde_json::from_str(r#"{"b":1.0,"a":[]}"#).unwrap();
        let text = with_value(&json!({"age": 1}), &value).unwrap();
        assert_eq!(text, r#"{"age":1,"value":{"b":1.0,"a":[]}}"#);
    }
}
