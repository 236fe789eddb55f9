//! What is sent for the keys of one hash slot, and answered or repeated as a whole.

use redis::{Arg, Cmd, Pipeline, Value};
use shared::cluster::{Server, slot_of};
use shared::script::Script;

use super::refusal::Refusal;

/// A command, a transaction, or a call of a script.
pub(super) struct Step {
    commands: Vec<Cmd>,
    form: Form,
    /// `None`: it names no key.
    pub(super) slot: Option<u16>,
    /// Only there, instead of where its key is.
    pub(super) only_at: Option<Server>,
}

enum Form {
    Command,
    Transaction,
    /// `EVALSHA`, with the source for a server that does not know the script.
    Script(&'static str),
}

/// How a step is sent this time.
#[derive(Clone, Debug, Default)]
pub(super) struct Manner {
    /// To this server, which takes it only after `ASKING`.
    pub(super) asking: Option<Server>,
    /// With the script's source.
    pub(super) is_sourced: bool,
}

/// What the answers to a step mean.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The answer, or the error that is final. Of a transaction, the array of `EXEC`.
    Done(Value),
    /// The first error that asks for a repeat.
    Refused(Refusal, redis::ServerError),
}

impl Step {
    pub(super) fn command(command: Cmd) -> Self {
        Self::new(vec![command], Form::Command)
    }

    pub(super) fn transaction(commands: Vec<Cmd>) -> Self {
        Self::new(commands, Form::Transaction)
    }

    /// `call` is an `EVALSHA` of this script.
    pub(super) fn script(script: &'static Script, call: Cmd) -> Self {
        Self::new(vec![call], Form::Script(script.source))
    }

    fn new(commands: Vec<Cmd>, form: Form) -> Self {
        let slot = commands.iter().find_map(slot);
        Self { commands, form, slot, only_at: None }
    }

    /// The same for one server, wherever its key is.
    pub(super) fn at(mut self, server: Server) -> Self {
        self.only_at = Some(server);
        self
    }

    /// Adds it to a pipeline; returns the number of answers to expect.
    pub(super) fn add_to(&self, pipeline: &mut Pipeline, manner: &Manner) -> usize {
        let before = pipeline.len();
        if manner.asking.is_some() {
            pipeline.cmd("ASKING");
        }
        match self.form {
            Form::Command => {
                self.commands.iter().for_each(|command| add(pipeline, command.clone()));
            }
            // The `ASKING` before `MULTI` holds until `EXEC`.
            Form::Transaction => {
                pipeline.cmd("MULTI");
                self.commands.iter().for_each(|command| add(pipeline, command.clone()));
                pipeline.cmd("EXEC");
            }
            Form::Script(source) => self.commands.iter().for_each(|call| {
                add(pipeline, if manner.is_sourced { sourced(call, source) } else { call.clone() });
            }),
        }
        pipeline.len() - before
    }

    /// Takes the answers of `asked`.
    pub(super) fn outcome(mut answers: Vec<Value>, asked: &Server) -> Outcome {
        let mut refusals = answers.iter().filter_map(|answer| match answer {
            Value::ServerError(error) => Some((Refusal::of(error, asked), error)),
            _ => None,
        });
        // A queued command's redirection comes before the `EXECABORT`.
        let refused = refusals.find(|(refusal, _)| *refusal != Refusal::Final);
        match refused.map(|(refusal, error)| (refusal, error.clone())) {
            Some((refusal, error)) => Outcome::Refused(refusal, error),
            None => Outcome::Done(answers.pop().unwrap_or(Value::Nil)),
        }
    }
}

/// The same call with the source of its script.
pub(super) fn sourced(call: &Cmd, source: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(source);
    for arg in call.args_iter().skip(2) {
        if let Arg::Simple(bytes) = arg {
            command.arg(bytes);
        }
    }
    command
}

fn add(pipeline: &mut Pipeline, command: Cmd) {
    pipeline.add_command(command);
}

/// The hash slot of a command's key, or of the channel that it publishes to: what the commands of
/// this project name first, scripts after the number of their keys.
fn slot(command: &Cmd) -> Option<u16> {
    let mut args = command.args_iter().map(|arg| match arg {
        Arg::Simple(bytes) => bytes,
        _ => &[],
    });
    let key = match args.next()? {
        b"EVALSHA" | b"EVAL" => {
            let (_script, keys) = (args.next()?, args.next()?);
            if keys == b"0" { None } else { args.next() }
        }
        _ => args.next(),
    };
    Some(slot_of(std::str::from_utf8(key?).ok()?))
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use shared::script::FEED_UNREAD;

    use super::*;

    fn command(words: &[&str]) -> Cmd {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
    }

    fn sent(step: &Step, manner: &Manner) -> Vec<String> {
        let mut pipeline = redis::pipe();
        let count = step.add_to(&mut pipeline, manner);
        let words = |command: &Cmd| {
            let words = command.args_iter().map(|arg| match arg {
                Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                _ => panic!("{command:?}"),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let all: Vec<String> = pipeline.cmd_iter().map(words).collect();
        assert_eq!(all.len(), count);
        all
    }

    #[test]
    fn the_first_key_decides() {
        let slot = |words: &[&str]| super::slot(&command(words));
        assert_eq!(slot(&["GETDEL", "foo"]), Some(12_182));
        assert_eq!(slot(&["EVALSHA", "0123", "2", "foo", "bar"]), Some(12_182));
        assert_eq!(slot(&["EVALSHA", "0123", "0", "foo"]), None);
        assert_eq!(slot(&["TIME"]), None);
        let commands = vec![command(&["TIME"]), command(&["GET", "foo"])];
        assert_eq!(Step::transaction(commands).slot, Some(12_182));
    }

    #[test]
    fn asking_stands_directly_before_what_is_asked() {
        let server = Server { host: "h".to_owned(), port: 1 };
        let asking = Manner { asking: Some(server), is_sourced: false };
        let get = || command(&["GET", "a"]);
        assert_eq!(sent(&Step::command(get()), &Manner::default()), ["GET a"]);
        assert_eq!(sent(&Step::command(get()), &asking), ["ASKING", "GET a"]);
        let both = Step::transaction(vec![get(), get()]);
        assert_eq!(sent(&both, &asking), ["ASKING", "MULTI", "GET a", "GET a", "EXEC"]);
    }

    #[test]
    fn a_script_is_sent_with_its_source_once_it_is_unknown() {
        let call = command(&["EVALSHA", FEED_UNREAD.sha1(), "1", "k", "5"]);
        let step = Step::script(&FEED_UNREAD, call);
        assert!(sent(&step, &Manner::default())[0].starts_with("EVALSHA "));
        let sourced = sent(&step, &Manner { asking: None, is_sourced: true });
        assert_eq!(sourced, [format!("EVAL {} 1 k 5", FEED_UNREAD.source)]);
    }

    #[test]
    fn the_first_redirection_of_a_transaction_counts() {
        let asked = Server { host: "asked".to_owned(), port: 1 };
        let answers = |lines: &[&str]| -> Vec<Value> {
            let parse = |line: &&str| redis::parse_redis_value(line.as_bytes()).unwrap();
            lines.iter().map(parse).collect()
        };
        let aborted = ["+OK\r\n", "+QUEUED\r\n", "-ASK 5 b:2\r\n", "-EXECABORT discarded\r\n"];
        let outcome = Step::outcome(answers(&aborted), &asked);
        assert!(matches!(outcome, Outcome::Refused(Refusal::Ask(_), _)), "{outcome:?}");
        let denied = ["+OK\r\n", "-NOPERM no\r\n", "-EXECABORT discarded\r\n"];
        assert!(matches!(
            Step::outcome(answers(&denied), &asked),
            Outcome::Done(Value::ServerError(_))
        ));
        let done = ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n"];
        assert!(matches!(Step::outcome(answers(&done), &asked), Outcome::Done(Value::Array(_))));
    }
}
