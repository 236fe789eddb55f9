//! What the checks found, and the lines that say so. A cause counts once, however many checks fail
//! from it.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;

use crate::failure::{Failure, Kind, Outcome};
use crate::output::{BAD, DIM, GOOD, Output, WARN, clean, paint};

/// What may not answer, so that several checks fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Functions,
    Hub,
    Redis,
    Record,
}

impl Part {
    /// What a failure comes from, if it is not the call itself: what `asked` named, or `asked` itself
    /// if it did not answer.
    fn behind(failure: &Failure, asked: Part) -> Option<Part> {
        match failure.code.as_deref() {
            Some("redis_unavailable") => Some(Part::Redis),
            Some("record_unavailable") => Some(Part::Record),
            None if failure.kind == Kind::Unreachable => Some(asked),
            _ => None,
        }
    }

    /// Why something was not checked.
    fn reason(self, failure: &Failure) -> String {
        match self {
            Part::Functions => "the functions do not answer".to_owned(),
            Part::Hub => "the hub does not answer".to_owned(),
            Part::Redis if failure.detail.contains("does not answer") => {
                "Redis does not answer".to_owned()
            }
            Part::Redis | Part::Record => failure.detail.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Wrong,
    Skipped,
}

/// What one check found.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    check: String,
    detail: String,
    /// What to do; empty if there is nothing to do.
    fix: String,
    cause: Option<Cause>,
}

/// What a check failed from.
#[derive(Debug)]
struct Cause {
    part: Part,
    /// The detail if an earlier finding has the same cause.
    again: String,
}

/// What some checks found, in the order of their lines.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// It is as it should be.
    pub fn ok(&mut self, check: &str, detail: impl Into<String>) {
        self.add(Verdict::Ok, check, detail.into(), "", None);
    }

    /// It works, and may not for long, or not well.
    pub fn warning(&mut self, check: &str, detail: impl Into<String>, fix: &str) {
        self.add(Verdict::Warning, check, detail.into(), fix, None);
    }

    /// It does not work.
    pub fn wrong(&mut self, check: &str, detail: impl Into<String>, fix: &str) {
        self.add(Verdict::Wrong, check, detail.into(), fix, None);
    }

    /// This part itself does not work.
    pub fn broken(&mut self, part: Part, check: &str, detail: impl Into<String>, fix: &str) {
        let detail = detail.into();
        let again = format!("{detail}; the same cause as above");
        self.add(Verdict::Wrong, check, detail, fix, Some(Cause { part, again }));
    }

    /// The failure of a call to `asked`, about the state of what was asked.
    pub fn failure(&mut self, asked: Part, check: &str, failure: &Failure, fix: &str) {
        match Part::behind(failure, asked) {
            Some(part) => self.broken(part, check, failure.detail.as_str(), fix),
            None => self.wrong(check, failure.detail.as_str(), fix),
        }
    }

    /// The failure of a call to `asked`, which could not find out about something else.
    pub fn unchecked(&mut self, asked: Part, check: &str, failure: &Failure, fix: &str) {
        let detail = failure.detail.clone();
        let cause = Part::behind(failure, asked).map(|part| {
            let again = format!("not checked: {}", part.reason(failure));
            Cause { part, again }
        });
        self.add(Verdict::Wrong, check, detail, fix, cause);
    }

    /// The call to `asked` has not ended, which may be only its work.
    pub fn slow(&mut self, asked: Part, check: &str, failure: &Failure, fix: &str) {
        let again = format!("not checked: {}", asked.reason(failure));
        let cause = Some(Cause { part: asked, again });
        self.add(Verdict::Warning, check, failure.detail.clone(), fix, cause);
    }

    /// It was not looked at, and why.
    pub fn skipped(&mut self, check: &str, why: impl Into<String>) {
        self.add(Verdict::Skipped, check, why.into(), "", None);
    }

    /// These, and then others.
    pub fn and(mut self, others: Findings) -> Self {
        self.0.extend(others.0);
        self
    }

    fn add(
        &mut self,
        verdict: Verdict,
        check: &str,
        detail: String,
        fix: &str,
        cause: Option<Cause>,
    ) {
        let (check, fix) = (check.to_owned(), fix.to_owned());
        self.0.push(Finding { verdict, check, detail, fix, cause });
    }
}

/// The lines so far.
pub struct Report {
    output: Output,
    wrong: u32,
    doubtful: u32,
    /// The causes that have a line.
    causes: BTreeSet<Part>,
}

impl Report {
    pub fn new(output: Output) -> Self {
        Self { output, wrong: 0, doubtful: 0, causes: BTreeSet::new() }
    }

    /// Prints findings.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn tell(&mut self, findings: Findings) -> Outcome {
        for finding in findings.0 {
            let finding = self.count(finding);
            self.print(&finding)?;
        }
        Ok(())
    }

    /// Counts a finding; one whose cause has been counted is no other failure.
    fn count(&mut self, mut finding: Finding) -> Finding {
        if let Some(Cause { part, again }) = finding.cause.take()
            && !self.causes.insert(part)
        {
            finding.verdict = Verdict::Skipped;
            finding.detail = again;
            finding.fix.clear();
        }
        match finding.verdict {
            Verdict::Wrong => self.wrong += 1,
            Verdict::Warning => self.doubtful += 1,
            Verdict::Ok | Verdict::Skipped => {}
        }
        finding
    }

    fn print(&self, finding: &Finding) -> Outcome {
        let (check, detail) = (clean(&finding.check), clean(&finding.detail));
        let (verdict, fix) = (finding.verdict, finding.fix.as_str());
        if self.output.json {
            let name = match verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Wrong => "wrong",
                Verdict::Skipped => "skipped",
            };
            let mut line = json!({"check": check, "verdict": name, "detail": detail});
            if !fix.is_empty() {
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
        if !fix.is_empty() {
            self.output.line(format!("         {}", clean(fix)))?;
        }
        Ok(())
    }

    /// The last line, and the exit code.
    pub fn finish(self) -> Outcome<ExitCode> {
        let Self { output, wrong, doubtful, .. } = self;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(code: &str, detail: &str) -> Failure {
        Failure { code: Some(code.to_owned()), ..Failure::unreachable(detail) }
    }

    #[test]
    fn a_cause_counts_once() {
        let mut findings = Findings::default();
        let redis = coded("redis_unavailable", "GET /readyz: Redis does not answer");
        let record = coded("record_unavailable", "the disk is full");
        findings.failure(Part::Functions, "functions ready", &redis, "look at Redis");
        findings.failure(Part::Hub, "hub ready", &redis, "look at Redis");
        findings.unchecked(Part::Functions, "memory", &redis, "look at Redis");
        findings.failure(Part::Functions, "relay", &record, "look at the disk");
        findings.unchecked(Part::Hub, "token", &Failure::unreachable("late"), "look at the hub");
        findings.wrong("clock", "an hour behind", "NTP");
        let mut report = Report::new(Output { json: true });
        let told: Vec<Finding> = findings.0.into_iter().map(|one| report.count(one)).collect();
        let wrong: Vec<&str> = told
            .iter()
            .filter(|finding| finding.verdict == Verdict::Wrong)
            .map(|finding| finding.check.as_str())
            .collect();
        assert_eq!(wrong, ["functions ready", "relay", "token", "clock"]);
        assert_eq!(report.wrong, 4);
        assert_eq!(told[1].detail, "GET /readyz: Redis does not answer; the same cause as above");
        assert_eq!(told[2].detail, "not checked: Redis does not answer");
        assert!(told[1].fix.is_empty() && told[2].fix.is_empty());
    }
}
