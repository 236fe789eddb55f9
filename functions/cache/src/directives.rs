//! Parses `Cache-Control` (RFC 9111 §5.2). An invalid directive counts as its strictest possible
//! meaning.

use std::time::Duration;

use runtime::cache::{Demands, Word};

/// The largest number of seconds (RFC 9111 §1.2.2).
pub const SECONDS_MAX: u64 = 1 << 31;

/// Directives of `Cache-Control`: names in lower case, with arguments.
pub struct Directives<'a>(Vec<(String, Option<&'a str>)>);

impl<'a> Directives<'a> {
    pub fn parse(list: &'a str) -> Self {
        let items = items(list).filter(|item| !item.is_empty());
        let directive = |item: &'a str| match item.split_once('=') {
            None => (item.to_ascii_lowercase(), None),
            // White space is not allowed around `=` (RFC 9111 §5.2): such an argument is invalid.
            Some((name, value)) => match name.trim_end() {
                trimmed if trimmed == name => (name.to_ascii_lowercase(), Some(value)),
                trimmed => (trimmed.to_ascii_lowercase(), Some("")),
            },
        };
        Self(items.map(directive).collect())
    }

    /// The directives without a number. `private="…"` and `no-cache="…"` count as if they named no
    /// fields.
    pub fn words(&self) -> Demands {
        let mut demands = Demands::default();
        for (name, _) in &self.0 {
            match name.as_str() {
                "no-store" => demands.add(Word::NoStore),
                "no-cache" => demands.add(Word::NoCache),
                "private" => demands.add(Word::Private),
                "must-revalidate" => demands.add(Word::MustRevalidate),
                "proxy-revalidate" => demands.add(Word::ProxyRevalidate),
                "no-transform" => demands.add(Word::NoTransform),
                _ => {}
            }
        }
        demands
    }

    /// The directives with a number.
    pub fn times(&self, demands: &mut Demands) {
        let max_age = self.seconds("max-age");
        let shared = self.seconds("s-maxage");
        demands.stale = self.seconds("stale-while-revalidate");
        demands.error = self.seconds("stale-if-error");
        demands.fresh = shared.or(max_age);
        if shared.is_none() {
            return;
        }
        demands.client = max_age;
        // `s-maxage` forbids serving stale content (RFC 9111 §5.2.2.10) unless an RFC 5861
        // directive allows it.
        match (demands.stale, demands.error) {
            (None, None) => demands.add(Word::ProxyRevalidate),
            (stale, error) => {
                demands.stale = stale.or(Some(Duration::ZERO));
                demands.error = error.or(Some(Duration::ZERO));
            }
        }
    }

    /// The shortest time of a directive that occurs several times; an invalid number counts as 0.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let arguments = self.0.iter().filter(|(known, _)| known == name);
        let times = arguments.map(|(_, argument)| {
            let text = argument.unwrap_or_default();
            let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            seconds(quoted.unwrap_or(text)).unwrap_or_default()
        });
        times.min()
    }
}

/// Items of a list, trimmed; a comma inside a quoted string does not separate. If a string is not
/// closed, every comma separates: it must not hide the items after it.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    let is_whole = !Quotes::default().ends_quoted(list);
    let mut quotes = Quotes::default();
    list.split(move |c| !(quotes.is_inside(c) && is_whole) && c == ',').map(str::trim)
}

/// Tracks whether a text is inside a quoted string, character by character.
#[derive(Default)]
struct Quotes {
    is_quoted: bool,
    is_escaped: bool,
}

impl Quotes {
    fn is_inside(&mut self, c: char) -> bool {
        match c {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if self.is_quoted => self.is_escaped = true,
            '"' => self.is_quoted = !self.is_quoted,
            _ => {}
        }
        self.is_quoted
    }

    fn ends_quoted(mut self, text: &str) -> bool {
        text.chars().fold(false, |_, c| self.is_inside(c))
    }
}

/// Whether the list contains this word.
pub fn has_item(list: &str, wanted: &str) -> bool {
    items(list).any(|item| item.eq_ignore_ascii_case(wanted))
}

/// A number of seconds, digits only.
pub fn seconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits.parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
    is_number.then_some(Duration::from_secs(seconds))
}
