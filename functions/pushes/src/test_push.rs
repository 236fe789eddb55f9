//! `POST /push/test`: a test push to all devices of a user, which a worker sends meanwhile.

use std::time::{Duration, Instant};

use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::{background, clock};
use runtime::{Code, Error, RecordApp, Request, Response, log};
use serde::{Deserialize, Serialize};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PUSH_TEST_TTL_S, PUSH_TEST_WAIT_MS, PUSH_TESTS_MAX, REQUEST_BYTES_MAX};
use shared::{UserId, keys, script};

/// Interval at which the results are looked for: a send takes some hundred milliseconds.
const POLL: Duration = Duration::from_millis(100);

/// Longest wait for the results, on the monotonic clock: the clock of dates may jump back.
const WAIT: Duration = Duration::from_millis(PUSH_TEST_WAIT_MS.cast_unsigned());

/// The results, as a worker writes them and as they are answered.
#[derive(Deserialize, Serialize)]
struct TestResult {
    device: String,
    kind: String,
    result: String,
}

#[derive(Serialize)]
struct Results {
    results: Vec<TestResult>,
}

/// Answers `{"results":[{device,kind,result}]}`.
///
/// # Errors
/// Request errors; `not_ready` if no worker answers in time; `redis_unavailable`; `wrong_type`.
pub async fn test(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let user = object.user_id("userId")?;
    object.finish()?;

    let nonce = clock::random_word();
    let test = test_json(&nonce, &user);
    ask(&app.redis, &test).await?;
    let key = keys::push_test(&nonce);
    let begun = Instant::now();
    while begun.elapsed() < WAIT {
        let reply = app.redis.command("GET", &[Arg::Text(&key)]).await?;
        if let Some(text) = reply.first().and_then(Reply::text) {
            return answer(text);
        }
        background::sleep(POLL).await;
    }
    // A worker that starts later must not send it then.
    let removed = [Arg::Text(keys::PUSH_TESTS), Arg::Int(1), Arg::Text(&test)];
    app.redis.command("LREM", &removed).await?;
    Err(Error::new(Code::NotReady, "no push worker answered"))
}

fn test_json(nonce: &str, user: &UserId) -> String {
    // Neither contains characters that need escapes.
    format!("{{\"nonce\":\"{nonce}\",\"userId\":\"{user}\"}}")
}

async fn ask(redis: &impl Redis, test: &str) -> Result<(), Error> {
    let args = [Arg::Text(test), Arg::Int(PUSH_TEST_TTL_S), Arg::Int(PUSH_TESTS_MAX)];
    let reply = redis.eval(&script::PUSH_TEST, &[keys::PUSH_TESTS.to_owned()], &args).await?;
    match reply.first().and_then(Reply::int) {
        Some(1..) => Ok(()),
        Some(-1) => Err(Error::new(Code::NotReady, "too many test pushes wait for a push worker")),
        _ => Err(RedisError::Malformed(script::PUSH_TEST.name).into()),
    }
}

fn answer(text: &str) -> Result<Response, Error> {
    let results = serde_json::from_str(text).map_err(|error| {
        log::error("push_test_malformed", &[("error", &error.to_string())]);
        Error::new(Code::Internal, "the push worker's results are malformed")
    })?;
    crate::answer(&Results { results })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_answered_as_the_worker_wrote_them() {
        let answered = answer(r#"[{"device":"default","kind":"fcm","result":"sent"}]"#).unwrap();
        assert_eq!(answered.status, 200);
        for bad in ["", "{}", r#"[{"device":"d"}]"#, "[5]"] {
            assert_eq!(answer(bad).err().unwrap().code(), Code::Internal, "{bad}");
        }
    }
}
