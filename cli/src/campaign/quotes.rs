//! On which lines the rows of a CSV file begin, and whether it ends inside quotes. The `csv` crate
//! counts a row from the line break of the row before, and takes a cell that is never closed as it is,
//! with all the rows after it.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Where the next byte is.
#[derive(Clone, Copy)]
enum State {
    /// Before the first byte of a row.
    Between,
    /// At the start of a cell.
    Start,
    /// In a cell without quotes, or behind the closing quote of another one.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote in a quoted cell: the closing one, or the first of two that stand for one.
    Quote,
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// A file that is followed while it is read, by the rules of the `csv` crate's defaults.
pub struct Quotes<R> {
    from: R,
    state: State,
    /// Bytes of the byte-order mark, which belongs to no cell.
    mark: usize,
    line: u64,
    /// The line where the last quoted cell begins.
    begins: u64,
    /// The lines where the rows begin that were not asked for yet: those of the last buffer.
    rows: VecDeque<u64>,
}

impl<R> Quotes<R> {
    pub fn new(from: R) -> Self {
        let rows = VecDeque::new();
        Self { from, state: State::Between, mark: 0, line: 1, begins: 1, rows }
    }

    /// The line where the next row begins, the header's first; `None` before it was read.
    pub fn next_row(&mut self) -> Option<u64> {
        self.rows.pop_front()
    }

    /// The line where a cell begins that is still open.
    pub fn open_since(&self) -> Option<u64> {
        matches!(self.state, State::Quoted).then_some(self.begins)
    }

    fn step(&mut self, byte: u8) {
        if BYTE_ORDER_MARK.get(self.mark) == Some(&byte) {
            self.mark += 1;
            return;
        }
        self.mark = BYTE_ORDER_MARK.len();
        let is_break = matches!(byte, b'\r' | b'\n');
        if matches!(self.state, State::Between) && !is_break {
            self.rows.push_back(self.line);
            self.state = State::Start;
        }
        self.state = match (self.state, byte) {
            (State::Start, b'"') => {
                self.begins = self.line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) | (State::Quote, b'"') => State::Quoted,
            _ if is_break => State::Between,
            (_, b',') => State::Start,
            _ => State::Plain,
        };
        self.line += u64::from(byte == b'\n');
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        for &byte in buffer.iter().take(count) {
            self.step(byte);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use csv::{ReaderBuilder, StringRecord};
    use proptest::prelude::*;

    use super::*;

    fn open_since(text: &str) -> Option<u64> {
        let mut quotes = Quotes::new(text.as_bytes());
        quotes.read_to_end(&mut Vec::new()).unwrap();
        quotes.open_since()
    }

    #[test]
    fn the_line_of_the_open_cell_is_told() {
        for (text, line) in [
            ("a,b\nalice,\"A\nbob,B\ncarol,C", Some(2)),
            ("a\r\n\"x\ny\"\r\n\"z", Some(4)),
            ("\u{feff}\"a\n", Some(1)),
            ("a,\"\"\"", Some(1)),
            ("a,\"\"\"\"", None),
            ("a,\"two\nlines\"\n", None),
            ("a 5\" disk,\"x\" y\"", None),
            ("", None),
        ] {
            assert_eq!(open_since(text), line, "{text:?}");
        }
    }

    proptest! {
        /// Another row after an open cell is a part of the cell.
        #[test]
        fn open_is_what_the_csv_crate_leaves_open(text in "[a\",\r\n]{0,30}") {
            let more = format!("{text}\nend");
            let mut reader = ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(more.as_bytes());
            let records: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
            let last = records.last().unwrap();
            let is_open = last.iter().next_back() != Some("end");
            prop_assert_eq!(open_since(&text).is_some(), is_open, "{:?}", records);
        }

        #[test]
        fn rows_are_those_of_the_csv_crate(text in "\u{feff}?[a\",\r\n]{0,30}") {
            let mut reader = ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(Quotes::new(text.as_bytes()));
            let count = reader.records().map(Result::unwrap).count();
            let quotes = reader.get_ref();
            prop_assert_eq!(quotes.rows.len(), count, "{:?}", quotes.rows);
        }
    }
}
