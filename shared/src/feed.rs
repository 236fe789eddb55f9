//! The page that `feed_read.lua` answers, taken apart.

/// Between the elements of a page (as in RFC 7464): no JSON text holds it.
const RECORD_SEPARATOR: u8 = 0x1e;

/// A page of a warm feed as it lies in Redis. What the members mean stands in the script.
#[derive(Debug, PartialEq, Eq)]
pub struct ScriptPage<'a> {
    pub unread: i64,
    pub lowest: i64,
    pub has_more: bool,
    pub next: Option<&'a str>,
    /// `seq=ms;seq=ms;`
    pub reads: &'a str,
    elements: Option<&'a [u8]>,
}

impl<'a> ScriptPage<'a> {
    /// `None` for a text of another shape.
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

    /// The elements, newest first. One of another service that holds the separator is no JSON; its
    /// parts are looked at one by one.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            let text = rest?;
            // A page is several kilobytes, and this looks at several bytes at once.
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
