//! The query of a page: limit, cursor, and whether read entries are shown.

use runtime::http::number;
use runtime::record::Shown;
use runtime::{Code, Error, Request};
use shared::ids::check_id;
use shared::limits::{FEED_ENTRIES_MAX, FEED_PAGE_DEFAULT};

/// The requested page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub limit: usize,
    pub from: From,
    pub shown: Shown,
}

/// Its starting point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Newest,
    /// Entries older than the cursor's.
    Before(String),
    /// Entries newer than the cursor's, starting with the oldest of them.
    After(String),
}

impl PageRequest {
    /// Parses `limit`, `before`, `after` and `unread`.
    ///
    /// # Errors
    /// `unknown_field` or `invalid_field`, naming the parameter.
    pub fn parse(request: &Request) -> Result<Self, Error> {
        let mut page = Self { limit: FEED_PAGE_DEFAULT, from: From::Newest, shown: Shown::All };
        for (name, value) in request.query(&["limit", "before", "after", "unread"])? {
            if name == "limit" {
                let limit = number(&name, &value, 1..=FEED_ENTRIES_MAX as i64)?;
                page.limit = usize::try_from(limit).unwrap_or(FEED_PAGE_DEFAULT);
                continue;
            }
            if name == "unread" {
                page.shown = match value.as_str() {
                    "true" => Shown::Unread,
                    "false" => Shown::All,
                    _ => return Err(invalid(&name, "must be true or false")),
                };
                continue;
            }
            if page.from != From::Newest {
                return Err(invalid(&name, "cannot be used with the other cursor"));
            }
            // Any id is well-formed, since foreign entries have ids of any kind. One that matches
            // no entry (any more) gets `cursor_gone`.
            check_id(&value, "cursor").map_err(|error| invalid(&name, error.detail()))?;
            page.from = if name == "before" { From::Before(value) } else { From::After(value) };
        }
        Ok(page)
    }
}

fn invalid(name: &str, problem: &str) -> Error {
    Error::field(Code::InvalidField, name, format!("`{name}`: {problem}"))
}

/// Parses the position `~<seq>.<k>` that `feed_read.lua` gives to foreign elements: the k-th above
/// Bellwire's with seq.
pub fn position(cursor: &str) -> Option<i64> {
    let (seq, k) = cursor.strip_prefix('~')?.split_once('.')?;
    k.parse::<u32>().ok()?;
    seq.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use runtime::Method;

    use super::*;

    fn parse(query: &str) -> Result<PageRequest, Error> {
        let target = format!("/x?{query}");
        PageRequest::parse(&Request::new(Method::Get, &target, Vec::new(), None).unwrap())
    }

    #[test]
    fn reads_the_parameters() {
        let default = PageRequest { limit: 20, from: From::Newest, shown: Shown::All };
        assert_eq!(parse("").unwrap(), default);
        assert_eq!(parse("unread=false").unwrap(), default);
        assert_eq!(parse("unread=true&before=a").unwrap().shown, Shown::Unread);
        let page = parse("limit=100&before=~12.3").unwrap();
        assert_eq!(
            page,
            PageRequest { limit: 100, from: From::Before("~12.3".to_owned()), ..default }
        );
        assert_eq!((position("~12.3"), position("~x.3"), position("12.3")), (Some(12), None, None));
        for any in ["nonsense", "~", "~1", "019a0000-0000-7000-8000-00000000000g"] {
            assert!(parse(&format!("before={any}")).is_ok(), "{any}");
        }
        for bad in [
            "limit=0",
            "limit=101",
            "limit=x",
            "limit=",
            "before=",
            "before=a%20b",
            "before=..",
            "after=%7B%7D",
            "before=a:b",
            "before=a&after=b",
            "after=a&before=b",
            "limt=1",
            "limit=1&limit=1",
            "unread=1",
            "unread=",
            "unread=true&unread=true",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn queries_from_outside_never_panic(
            query in "((limit|before|after|unread|x)=?[0-9a-z~.%+:@-]{0,12}&?){0,4}",
            cursor in "~?[0-9+.-]{0,25}",
        ) {
            let target = format!("/x?{query}");
            if let Ok(request) = Request::new(Method::Get, &target, Vec::new(), None)
                && let Ok(page) = PageRequest::parse(&request)
            {
                prop_assert!((1..=FEED_ENTRIES_MAX).contains(&page.limit));
                if let From::Before(cursor) | From::After(cursor) = &page.from {
                    prop_assert!(check_id(cursor, "cursor").is_ok());
                }
            }
            let _ = position(&cursor);
        }

        #[test]
        fn a_position_is_parsed_as_written(seq in any::<i64>(), k in any::<u32>()) {
            prop_assert_eq!(position(&format!("~{seq}.{k}")), Some(seq));
        }
    }
}
