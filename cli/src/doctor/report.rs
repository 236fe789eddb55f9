//! What the checks found: a line each, as soon as it is known.

use std::process::ExitCode;

use serde_json::json;

use crate::failure::{Failure, Kind, Outcome};
use crate::output::{BAD, DIM, GOOD, Output, WARN, clean, paint};

/// The findings so far.
pub struct Report {
    output: Output,
    wrong: u32,
    doubtful: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Wrong,
    Skipped,
}

impl Report {
    pub fn new(output: Output) -> Self {
        Self { output, wrong: 0, doubtful: 0 }
    }

    /// It is as it should be.
    pub fn ok(&mut self, check: &str, detail: impl AsRef<str>) -> Outcome {
        self.tell(Verdict::Ok, check, detail.as_ref(), None)
    }

    /// It works, and may not for long, or not well.
    pub fn warning(&mut self, check: &str, detail: impl AsRef<str>, fix: &str) -> Outcome {
        self.doubtful += 1;
        self.tell(Verdict::Warning, check, detail.as_ref(), Some(fix))
    }

    /// It does not work.
    pub fn wrong(&mut self, check: &str, detail: impl AsRef<str>, fix: &str) -> Outcome {
        self.wrong += 1;
        self.tell(Verdict::Wrong, check, detail.as_ref(), Some(fix))
    }

    /// The failure of a call is what is wrong.
    pub fn failure(&mut self, check: &str, failure: &Failure, fix: &str) -> Outcome {
        let fix = failure.hint.as_deref().filter(|_| fix.is_empty()).unwrap_or(fix);
        self.wrong(check, &failure.detail, fix)
    }

    /// It was not looked at, and why.
    pub fn skipped(&mut self, check: &str, why: impl AsRef<str>) -> Outcome {
        self.tell(Verdict::Skipped, check, why.as_ref(), None)
    }

    /// A call that needs a scope which the token lacks is not a finding.
    pub fn refused(&mut self, check: &str, failure: &Failure, scope: &str) -> Outcome {
        match failure.kind {
            Kind::Unauthorized => self.skipped(check, format!("the token lacks {scope}")),
            _ => self.failure(check, failure, ""),
        }
    }

    fn tell(&self, verdict: Verdict, check: &str, detail: &str, fix: Option<&str>) -> Outcome {
        let (check, detail) = (clean(check), clean(detail));
        if self.output.json {
            let name = match verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Wrong => "wrong",
                Verdict::Skipped => "skipped",
            };
            let mut line = json!({"check": check, "verdict": name, "detail": detail});
            if let Some(fix) = fix.filter(|fix| !fix.is_empty()) {
                line["fix"] = fix.into();
            }
            return Ok(self.output.json(&line)?);
        }
        let mark = match verdict {
            Verdict::Ok => paint(GOOD, "ok     "),
            Verdict::Warning => paint(WARN, "warning"),
            Verdict::Wrong => paint(BAD, "WRONG  "),
            Verdict::Skipped => paint(DIM, "skipped"),
        };
        self.output.line(format!("{mark}  {check}: {detail}"))?;
        if let Some(fix) = fix.filter(|fix| !fix.is_empty()) {
            self.output.line(format!("         {}", clean(fix)))?;
        }
        Ok(())
    }

    /// The last line, and the exit code.
    pub fn finish(self) -> Outcome<ExitCode> {
        let Self { output, wrong, doubtful } = self;
        if !output.json {
            output.line(match (wrong, doubtful) {
                (0, 0) => "Nothing is wrong.".to_owned(),
                (0, doubtful) => format!("Nothing is wrong; {doubtful} to look at."),
                (wrong, 0) => format!("{wrong} wrong."),
                (wrong, doubtful) => format!("{wrong} wrong, {doubtful} to look at."),
            })?;
        }
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.code()) })
    }
}
