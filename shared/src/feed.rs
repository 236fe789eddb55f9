//! Parses the answer of `feed_read.lua`.

/// Separates the elements of a page (as in RFC 7464): no JSON text contains it.
const RECORD_SEPARATOR: u8 = 0x1e;

/// A page of a warm feed as in Redis; the script documents the members.
#[derive(Debug, PartialEq, Eq)]
pub struct ScriptPage<'a> {
    pub unread: i64,
    pub lowest: i64,
    pub has_more: bool,
    pub next: Option<&'a str>,
    /// `seq=ms;seq=ms;`, and `~id=ms;` for elements of other services.
    pub reads: &'a str,
    elements: Option<&'a [u8]>,
}

impl<'a> ScriptPage<'a> {
    /// `None` if the text has another shape.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(RECORD_SEPARATOR, text);
        let (header, elements) = match end {
            Some(end) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        let mut words = std::str::from_utf8(header).ok()?.split(' ');
        Some(Self {
            unread: words.next()?.parse().ok()?,
            lowest: words.next()?.parse().ok()?,
            has_more: words.next()? == "1",
            next: Some(words.next()?).filter(|next| *next != "-"),
            reads: words.next()?,
            elements,
        })
    }

    /// The elements, newest first. An element of another service that contains the separator is not
    /// JSON; its parts are yielded separately.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            let text = rest?;
            // A page has several kilobytes, and memchr compares several bytes at once.
            let end = memchr::memchr(RECORD_SEPARATOR, text);
            rest = end.and_then(|end| text.get(end + 1..));
            text.get(..end.unwrap_or(text.len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_pages_apart() {
        let page = ScriptPage::parse(b"2 0 1 ~3.1 7=9;\x1e{}\x1e\xff").unwrap();
        assert_eq!((page.unread, page.lowest, page.has_more), (2, 0, true));
        assert_eq!((page.next, page.reads), (Some("~3.1"), "7=9;"));
        assert_eq!(page.elements().collect::<Vec<_>>(), [&b"{}"[..], b"\xff"]);
        let empty = ScriptPage::parse(b"0 1 0 - ").unwrap();
        assert_eq!((empty.next, empty.reads, empty.elements().count()), (None, "", 0));
        for other in [&b""[..], b"x", b"1 2 3", b"\xff 0 0 - ", b"1 2 3 4"] {
            assert_eq!(ScriptPage::parse(other), None);
        }
    }
}
