//! What the checks found, and the lines that say so. A cause counts once, however many checks fail
//! from it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

use serde_json::json;

use super::part::Part;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{BAD, DIM, GOOD, Output, WARN, clean, paint};

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
    again: Again,
}

/// What a finding says if an earlier one has the same cause.
#[derive(Debug)]
enum Again {
    /// It does not work either. That the cause is the same one is a guess: the Redis of a URL need not
    /// be that of the functions.
    Broken,
    /// It was not checked, and why.
    Unchecked(String),
}

impl Finding {
    /// The finding as it is after another one of the same cause, whose advice is `known`.
    fn repeated(mut self, again: Again, known: &str) -> Self {
        match again {
            Again::Broken => {
                self.detail += "; probably the same cause as above";
                if self.fix == known {
                    self.fix.clear();
                }
            }
            Again::Unchecked(why) => {
                self.verdict = Verdict::Skipped;
                self.detail = why;
                self.fix.clear();
            }
        }
        self
    }
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
        let cause = Some(Cause { part, again: Again::Broken });
        self.add(Verdict::Wrong, check, detail.into(), fix, cause);
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
            let why = format!("not checked: {}", part.reason(failure));
            Cause { part, again: Again::Unchecked(why) }
        });
        self.add(Verdict::Wrong, check, detail, fix, cause);
    }

    /// The call to `asked` has not ended, which may be only its work.
    pub fn slow(&mut self, asked: Part, check: &str, failure: &Failure, fix: &str) {
        let why = format!("not checked: {}", asked.reason(failure));
        let cause = Some(Cause { part: asked, again: Again::Unchecked(why) });
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
    /// The causes that have a line, with its advice.
    causes: BTreeMap<Part, String>,
}

impl Report {
    pub fn new(output: Output) -> Self {
        Self { output, wrong: 0, doubtful: 0, causes: BTreeMap::new() }
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

    /// Counts a finding, unless its cause has been counted.
    fn count(&mut self, mut finding: Finding) -> Finding {
        if let Some(Cause { part, again }) = finding.cause.take() {
            match self.causes.entry(part) {
                Entry::Occupied(first) => return finding.repeated(again, first.get()),
                Entry::Vacant(first) => {
                    first.insert(finding.fix.clone());
                }
            }
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
        assert_eq!(wrong, ["functions ready", "hub ready", "relay", "token", "clock"]);
        assert_eq!(report.wrong, 4);
        let again = "GET /readyz: Redis does not answer; probably the same cause as above";
        assert_eq!(told[1].detail, again);
        assert_eq!(told[2].detail, "not checked: Redis does not answer");
        assert_eq!(told[2].verdict, Verdict::Skipped);
        assert!(told[1].fix.is_empty() && told[2].fix.is_empty());
    }

    #[test]
    fn a_store_that_was_asked_itself_keeps_its_advice() {
        let mut findings = Findings::default();
        let record = coded("record_unavailable", "the record does not answer");
        findings.failure(Part::Functions, "functions ready", &record, "look at the database");
        findings.broken(Part::Record, "Postgres", "wrong password", "correct --postgres-url");
        let mut report = Report::new(Output { json: true });
        let told: Vec<Finding> = findings.0.into_iter().map(|one| report.count(one)).collect();
        assert_eq!((told[1].verdict, report.wrong), (Verdict::Wrong, 1));
        assert_eq!(told[1].detail, "wrong password; probably the same cause as above");
        assert_eq!(told[1].fix, "correct --postgres-url");
    }
}
