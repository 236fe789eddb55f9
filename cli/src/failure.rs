//! Why a command failed: what is wrong, what to do, and the exit code.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

/// The kinds of failures. Each has an exit code, which is part of the command's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request was refused, or it failed.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
    /// Nobody answers, or not in time, or the answer is "later".
    Unreachable,
    /// There is no token, or it does not permit this.
    Unauthorized,
    /// What the command is about does not exist.
    NotFound,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads the output any more, as after `| head`: no failure.
    ReaderGone,
}

/// The exit codes, as `--help`, the man page and docs/cli.md show them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    refused or failed; `doctor`: something is wrong
  2    the command line or the configuration is wrong
  3    no answer, or not in time, or the answer is \"later\" (429, 503)
  4    there is no token, or it does not permit this (401, 403)
  5    not found (404, 410)
  130  ended by Ctrl-C, with work left";

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
            Kind::Unauthorized => 4,
            Kind::NotFound => 5,
            Kind::Interrupted => 130,
            Kind::ReaderGone => 0,
        }
    }

    /// The kind of an answer with this status.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Kind::Unauthorized,
            404 | 410 => Kind::NotFound,
            429 | 502..=504 => Kind::Unreachable,
            _ => Kind::Failed,
        }
    }
}

/// A failure of a command. No text contains a secret.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// What is wrong.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The code of the API's problem.
    pub code: Option<String>,
    /// The member that the problem is about.
    pub field: Option<String>,
    /// Whether the call may have been carried out all the same.
    pub may_be_done: bool,
}

/// What commands return.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (hint, code, field, may_be_done) = (None, None, None, false);
        Self { kind, detail: detail.into(), hint, code, field, may_be_done }
    }

    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Failed, detail)
    }

    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(Kind::Usage, detail)
    }

    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, detail)
    }

    /// Adds what to do, unless something was said already.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }

    pub fn to_json(&self) -> Value {
        let mut error = json!({"detail": self.detail, "exitCode": self.kind.code()});
        for (name, value) in [("code", &self.code), ("field", &self.field), ("hint", &self.hint)] {
            if let Some(value) = value {
                error[name] = value.as_str().into();
            }
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<std::io::Error> for Failure {
    /// Of the output: nothing else is read or written without a text of its own.
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::ReaderGone,
            _ => Kind::Failed,
        };
        Failure::new(kind, format!("cannot write the output: {error}"))
    }
}
