//! Commands to one Redis: everything on the one connection, in as few round trips as possible.

use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use shared::script::Script;

use super::connection::Connection;
use super::routing::answer_of;
use super::step::sourced;

/// Runs a call of a script; sends its source if the server does not know it yet.
pub(super) async fn script(
    one: &Connection,
    script: &'static Script,
    call: Cmd,
) -> RedisResult<Value> {
    let answers = each_call(one, script, vec![call]).await;
    answers.into_iter().next().unwrap_or(Ok(Value::Nil))
}

/// Sends a pipeline; the answers are in order, each with a result of its own.
pub(super) async fn each(one: &Connection, pipeline: &Pipeline) -> Vec<RedisResult<Value>> {
    match one.send(pipeline).await {
        Ok(answers) => answers.into_iter().map(answer_of).collect(),
        Err(failure) => vec![Err(failure.error); pipeline.len()],
    }
}

/// The same for calls of a script.
pub(super) async fn each_call(
    one: &Connection,
    script: &'static Script,
    calls: Vec<Cmd>,
) -> Vec<RedisResult<Value>> {
    let pipeline = pipeline_of(calls);
    let answers = each(one, &pipeline).await;
    if !answers.iter().any(is_unknown_script) {
        return answers;
    }
    // The first call brings the source, the others follow on the same connection.
    let source = |(at, call): (usize, &Cmd)| match at {
        0 => sourced(call, script.source),
        _ => call.clone(),
    };
    each(one, &pipeline_of(pipeline.cmd_iter().enumerate().map(source).collect())).await
}

/// Executes groups of commands in one transaction.
pub(super) async fn atomic(
    one: &Connection,
    groups: Vec<Vec<Cmd>>,
) -> Vec<RedisResult<Vec<RedisResult<Value>>>> {
    let counts: Vec<usize> = groups.iter().map(Vec::len).collect();
    let mut pipeline = pipeline_of(groups.into_iter().flatten().collect());
    let answers = one.send(pipeline.atomic()).await.map_err(|failure| failure.error);
    let executed = answers
        .and_then(|answers| members(answer_of(answers.into_iter().next().unwrap_or(Value::Nil))?));
    match executed {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            counts.iter().map(|count| Ok(answers.by_ref().take(*count).collect())).collect()
        }
        Err(error) => vec![Err(error); counts.len()],
    }
}

/// The answers in the array of `EXEC`.
pub(super) fn members(answer: Value) -> RedisResult<Vec<RedisResult<Value>>> {
    match answer {
        Value::Array(answers) => Ok(answers.into_iter().map(answer_of).collect()),
        _ => Err(RedisError::from((ErrorKind::UnexpectedReturnType, "EXEC answered no array"))),
    }
}

pub(super) fn pipeline_of(commands: Vec<Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}

fn is_unknown_script(answer: &RedisResult<Value>) -> bool {
    let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
    answer.as_ref().is_err_and(|error| error.kind() == unknown)
}
