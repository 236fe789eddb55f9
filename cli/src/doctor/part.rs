//! The parts that may not answer, so that several checks fail.

use crate::failure::{Failure, Kind};

/// What several checks may fail from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Functions,
    Hub,
    Redis,
    Record,
}

impl Part {
    /// What a failure comes from, if it is not the call itself: what `asked` named, or `asked` itself
    /// if it did not answer, or something else than Bellwire did. Every call of the doctor exists, so
    /// that "not found" comes from a wrong server, too.
    pub fn behind(failure: &Failure, asked: Part) -> Option<Part> {
        match failure.code.as_deref() {
            Some("redis_unavailable") => Some(Part::Redis),
            Some("record_unavailable") => Some(Part::Record),
            None => Some(asked),
            Some(_) if failure.kind == Kind::NotFound => Some(asked),
            Some(_) => None,
        }
    }

    /// Why something was not checked.
    pub fn reason(self, failure: &Failure) -> String {
        let is_silent = failure.kind == Kind::Unreachable;
        match self {
            Part::Functions if is_silent => "the functions do not answer".to_owned(),
            Part::Hub if is_silent => "the hub does not answer".to_owned(),
            Part::Redis if failure.detail.contains("does not answer") => {
                "Redis does not answer".to_owned()
            }
            _ => failure.detail.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_bellwire_is_the_cause_itself() {
        let behind = |kind, code: Option<&str>| {
            let code = code.map(str::to_owned);
            Part::behind(&Failure { code, ..Failure::new(kind, "x") }, Part::Hub)
        };
        for kind in [Kind::Failed, Kind::NotFound, Kind::Unauthorized, Kind::Unreachable] {
            assert_eq!(behind(kind, None), Some(Part::Hub));
        }
        assert_eq!(behind(Kind::NotFound, Some("not_found")), Some(Part::Hub));
        assert_eq!(behind(Kind::Unreachable, Some("redis_unavailable")), Some(Part::Redis));
        assert_eq!(behind(Kind::Unreachable, Some("record_unavailable")), Some(Part::Record));
        assert_eq!(behind(Kind::Unauthorized, Some("unauthorized")), None);
    }

    #[test]
    fn a_server_that_answered_is_not_called_silent() {
        let other = Failure::new(Kind::NotFound, "answered with 404");
        assert_eq!(Part::Hub.reason(&other), "answered with 404");
        let late = Failure::unreachable("no answer");
        assert_eq!(Part::Hub.reason(&late), "the hub does not answer");
    }
}
