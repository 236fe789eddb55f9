//! What commands print: lines, tables and JSON on standard output. Colours end where it is no
//! terminal, or `NO_COLOR` is set. Control characters in what others wrote are never printed: a
//! title could otherwise steer the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// For headings.
pub const BOLD: Style = Style::new().bold();
/// For what matters less.
pub const DIM: Style = Style::new().dimmed();
/// For what is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// For what needs a look.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// For what is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard output in one of its two forms.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Whether each line is a JSON document.
    pub json: bool,
}

impl Output {
    /// A line for people.
    pub fn line(self, text: impl Display) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// A line of JSON.
    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.json_text(&text)
    }

    /// JSON as it came, on one line. Line breaks in JSON are only ever white space.
    pub fn json_text(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", text.trim().replace(['\r', '\n'], " "))?;
        stdout.flush()
    }

    /// A table, or `empty` if it has no rows.
    pub fn table<const N: usize>(
        self,
        head: [&str; N],
        rows: &[[String; N]],
        empty: &str,
    ) -> io::Result<()> {
        match rows {
            [] => self.line(empty),
            rows => self.line(table(head, rows)),
        }
    }
}

/// A table without lines, as wide as the terminal at most.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(head.map(str::to_uppercase));
    if let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size() {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)));
    }
    // The first column begins where the line does.
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().into());
    lines.collect::<Vec<String>>().join("\n")
}

/// A text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// What others wrote, without the characters that steer a terminal or the direction of a line.
pub fn clean(text: &str) -> String {
    let is_steering = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_steering(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// An RFC 3339 time as people read it: `2026-11-29 12:00:00`, in UTC.
pub fn time(text: &str) -> String {
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) => clean(&format!("{date} {time}")),
        _ => clean(text),
    }
}

/// A number with its thousands apart: `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 user`, `12,345 users`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// The verb for that many: `1 user is`, `2 users are`.
pub fn are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// Whether people look at standard output.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A line on standard error. It is lost if nobody can read it.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_printed() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e"), "a\u{fffd}[2Jb c\u{fffd}d\u{fffd}e");
        let shown = table(["title"], &[["\u{1b}]0;x\u{7}".to_owned()]]);
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    }

    #[test]
    fn tables_have_no_lines_and_no_spaces_at_their_ends() {
        let rows = [["a".to_owned(), "1".to_owned()], ["bcd".to_owned(), String::new()]];
        assert_eq!(table(["name", "n"], &rows), "NAME  N\na     1\nbcd");
    }

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(time("2026-11-29T12:00:00.000Z"), "2026-11-29 12:00:00");
        assert_eq!(time("soon"), "soon");
    }

    #[test]
    fn one_is_no_plural() {
        let text = |count| format!("{} {}", counted(count, "copy", "copies"), are(count));
        assert_eq!([0, 1, 2].map(text), ["0 copies are", "1 copy is", "2 copies are"]);
        assert_eq!(counted(1234, "user", "users"), "1,234 users");
    }
}
