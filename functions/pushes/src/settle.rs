//! `POST /push/settle`: what came of claimed jobs.

use runtime::http::auth;
use runtime::record::{DelayedPush, PushJobId};
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::ids::check_id;
use shared::json::Object;
use shared::limits::{PUSH_DONE_MAX, PUSH_JOBS_MAX, PUSH_TTL_S_MAX, REQUEST_ARRAY_BYTES_MAX};

use crate::responses;

/// The parsed request.
#[derive(Default)]
struct Results<'a> {
    finished: Vec<PushJobId>,
    delayed: Vec<DelayedPush>,
    /// JSON texts for the queue of responses.
    responses: Vec<&'a str>,
}

/// Finishes or delays jobs, and appends their responses to the queue. Answers
/// `{"settled":n,"stale":n}`; stale are jobs that a later claim has taken over, or that are gone.
///
/// # Errors
/// Request errors; `record_unavailable`.
pub async fn settle(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushSend)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let results = Results::parse(&body, clock::now_ms())?;
    let count = results.finished.len() + results.delayed.len();
    let mut settled = app.record.finish_pushes(&results.finished).await?;
    settled += app.record.delay_pushes(&results.delayed).await?;
    responses::append(&app.redis, &results.responses).await;
    let stale = count.saturating_sub(settled);
    Ok(Response::json(200, format!("{{\"settled\":{settled},\"stale\":{stale}}}")))
}

impl<'a> Results<'a> {
    fn parse(body: &'a [u8], now_ms: i64) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let items = object.require_array("jobs", PUSH_JOBS_MAX)?;
        object.finish()?;
        let mut results = Self::default();
        for (at, item) in items.into_iter().enumerate() {
            results.add(item, at, now_ms)?;
        }
        Ok(results)
    }

    fn add(&mut self, item: &'a RawValue, at: usize, now_ms: i64) -> Result<(), Error> {
        let path = format!("jobs[{at}]");
        let mut object = Object::parse_nested(item, &path)?;
        let user = object.user_id("userId")?;
        let required = |object: &mut Object<'_>, name: &str| {
            let number = object.integer(name, 1..=i64::MAX)?;
            number.ok_or_else(|| object.missing(name))
        };
        let id = PushJobId {
            user,
            seq: required(&mut object, "seq")?,
            rev: required(&mut object, "rev")?,
        };
        let result = object.string("result")?.ok_or_else(|| object.missing("result"))?;
        let wait_ms = object.integer("waitMs", 0..=PUSH_TTL_S_MAX * 1000)?.unwrap_or(0);
        let is_counted = object.boolean("counted")?.unwrap_or(true);
        let done = devices(&mut object, &path)?;
        for (at, response) in
            object.array("responses", PUSH_DONE_MAX)?.unwrap_or_default().into_iter().enumerate()
        {
            let path = format!("{path}.responses[{at}]");
            self.responses.push(responses::checked(response, &path)?);
        }
        match result.as_str() {
            "done" => self.finished.push(id),
            "later" => {
                let next_at_ms = now_ms + wait_ms;
                self.delayed.push(DelayedPush { id, next_at_ms, is_counted, done });
            }
            _ => return Err(object.invalid("result", "must be done or later")),
        }
        object.finish()
    }
}

/// The names in `done`.
fn devices(object: &mut Object<'_>, path: &str) -> Result<Vec<String>, Error> {
    let items = object.array("done", PUSH_DONE_MAX)?.unwrap_or_default();
    let names = items.into_iter().enumerate().map(|(at, item)| {
        let device: String = serde_json::from_str(item.get())
            .map_err(|_| object.invalid(&format!("done[{at}]"), "must be a string"))?;
        check_id(&device, "device name").map_err(|error| {
            Error::field(error.code(), &format!("{path}.done[{at}]"), error.detail())
        })?;
        Ok(device)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{Code, UserId};

    type Parts = (Vec<PushJobId>, Vec<DelayedPush>, Vec<String>);

    fn parse(jobs: &str) -> Result<Parts, Error> {
        let body = format!("{{\"jobs\":[{jobs}]}}");
        let results = Results::parse(body.as_bytes(), 1_000)?;
        let responses = results.responses.into_iter().map(str::to_owned).collect();
        Ok((results.finished, results.delayed, responses))
    }

    #[test]
    fn jobs_are_finished_or_delayed() {
        let id = |seq| PushJobId { user: UserId::parse("a").unwrap(), seq, rev: 2 };
        let (finished, delayed, responses) = parse(
            r#"{"userId":"a","seq":1,"rev":2,"result":"done","responses":[{"a":[]}, {}]},
               {"userId":"a","seq":2,"rev":2,"result":"later"},
               {"userId":"a","seq":3,"rev":2,"result":"later","waitMs":5,"counted":false,
                "done":["d","default"]}"#,
        )
        .unwrap();
        assert_eq!(finished, [id(1)]);
        let done = vec!["d".to_owned(), "default".to_owned()];
        let delayed_as =
            |id, next_at_ms, is_counted, done| DelayedPush { id, next_at_ms, is_counted, done };
        let expected =
            [delayed_as(id(2), 1_000, true, vec![]), delayed_as(id(3), 1_005, false, done)];
        assert_eq!(delayed, expected);
        assert_eq!(responses, [r#"{"a":[]}"#, "{}"]);
    }

    #[test]
    fn names_what_is_wrong() {
        let job = |more: &str| format!(r#"{{"userId":"a","seq":1,"rev":1{more}}}"#);
        for (given, code, field) in [
            (r#"{"userId":"a b"}"#.to_owned(), Code::InvalidId, "jobs[0].userId"),
            (r#"{"userId":"a"}"#.to_owned(), Code::MissingField, "jobs[0].seq"),
            (job(""), Code::MissingField, "jobs[0].result"),
            (job(r#","result":"sent""#), Code::InvalidField, "jobs[0].result"),
            (job(r#","result":"done","waitMs":-1"#), Code::LimitExceeded, "jobs[0].waitMs"),
            (job(r#","result":"done","counted":1"#), Code::InvalidField, "jobs[0].counted"),
            (job(r#","result":"done","done":[7]"#), Code::InvalidField, "jobs[0].done[0]"),
            (job(r#","result":"done","done":["a b"]"#), Code::InvalidId, "jobs[0].done[0]"),
            (
                job(r#","result":"done","responses":["\u0000"]"#),
                Code::InvalidField,
                "jobs[0].responses[0]",
            ),
            (job(r#","result":"done","x":1"#), Code::UnknownField, "jobs[0].x"),
        ] {
            let error = parse(&given).err().unwrap();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{given}");
        }
    }
}
