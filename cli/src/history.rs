//! The history of another system: a notification a line, read in parts while others are sent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::limits::{IMPORT_BYTES, IMPORT_ROWS, ROW_BYTES_MAX};

/// Parts that are read ahead of the one that is sent.
const PARTS_AHEAD: usize = 1;

/// A notification of the old system.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Counted from 1.
    pub line: u64,
    pub user: String,
    /// Its id there.
    pub id: Option<String>,
    /// An item of `POST /notifications/import`.
    pub json: String,
}

/// What a line is not.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongRow {
    pub line: u64,
    pub problem: String,
}

/// Rows of one call, in order, and the wrong lines between them.
#[derive(Debug, Default)]
pub struct Part {
    pub rows: Vec<Row>,
    pub wrong: Vec<WrongRow>,
    /// Bytes of the file that have been read.
    pub bytes: u64,
}

/// The parts as they are read, or why there is no next one.
pub type Parts = mpsc::Receiver<Outcome<Part>>;

/// The parts of a file, or of standard input for `-`. A thread of its own reads: Ctrl-C must not wait for a line.
///
/// # Errors
/// The file cannot be opened. Later ones come as parts.
pub fn parts(path: &Path) -> Outcome<Parts> {
    let shown = path.display().to_string();
    let reader: Box<dyn Read + Send> = if path.as_os_str() == "-" {
        Box::new(stdin())
    } else {
        Box::new(files::open(path, &shown)?)
    };
    let (sender, parts) = mpsc::channel(PARTS_AHEAD);
    std::thread::spawn(move || {
        let mut lines = Lines { reader: BufReader::new(reader), line: 0, bytes: 0 };
        loop {
            let part = lines.part().map_err(|error| {
                Failure::failed(format!("cannot read {shown} after line {}: {error}", lines.line))
            });
            let is_end = part.as_ref().map_or(true, Option::is_none);
            // Nobody listens any more after Ctrl-C.
            if part.transpose().is_some_and(|part| sender.blocking_send(part).is_err()) || is_end {
                return;
            }
        }
    });
    Ok(parts)
}

struct Lines<R> {
    reader: R,
    line: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next part; `None` at the end.
    fn part(&mut self) -> std::io::Result<Option<Part>> {
        let (mut part, mut size, mut text) = (Part::default(), 0, Vec::new());
        while part.rows.len() < IMPORT_ROWS && part.wrong.len() < IMPORT_ROWS && size < IMPORT_BYTES
        {
            text.clear();
            let read = self.reader.by_ref().take(ROW_BYTES_MAX + 1).read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            self.line += 1;
            self.bytes += read as u64;
            if read as u64 > ROW_BYTES_MAX {
                let text = format!("line {} has more than {ROW_BYTES_MAX} bytes", self.line);
                return Err(std::io::Error::other(text));
            }
            match std::str::from_utf8(&text) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => match row(self.line, text) {
                    Ok(row) => {
                        size += row.json.len();
                        part.rows.push(row);
                    }
                    Err(problem) => part.wrong.push(WrongRow { line: self.line, problem }),
                },
                Err(_) => {
                    let problem = "it is not UTF-8".to_owned();
                    part.wrong.push(WrongRow { line: self.line, problem });
                }
            }
        }
        part.bytes = self.bytes;
        Ok(if part.rows.is_empty() && part.wrong.is_empty() { None } else { Some(part) })
    }
}

/// A line as an item. Members keep their bytes; the functions check them.
fn row(line: u64, text: &str) -> Result<Row, String> {
    let mut members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))?;
    let id = match members.remove("id") {
        Some(id) => Some(id_text(id.get()).ok_or("`id` is neither a text nor an integer")?),
        None => None,
    };
    if !members.contains_key("idempotencyKey") {
        let Some(id) = &id else {
            return Err(
                "it has neither `id` nor `idempotencyKey`, by which a repeat knows it".to_owned()
            );
        };
        let key = to_raw_value(&format!("row {id}")).map_err(|error| error.to_string())?;
        members.insert("idempotencyKey".to_owned(), key);
    }
    let user = members.get("userId").and_then(|user| id_text(user.get()));
    let user = user.ok_or("`userId` is neither a text nor an integer")?;
    let json = serde_json::to_string(&members).map_err(|error| error.to_string())?;
    Ok(Row { line, user, id, json })
}

/// An id as the API writes it.
fn id_text(json: &str) -> Option<String> {
    match serde_json::from_str(json).ok()? {
        Value::String(id) if !id.is_empty() => Some(id),
        Value::Number(id) if id.is_i64() || id.is_u64() => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Part> {
        let mut lines = Lines { reader: text.as_bytes(), line: 0, bytes: 0 };
        std::iter::from_fn(|| lines.part().unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_item_whose_members_keep_their_bytes() {
        let text = "\n{\"id\":7,\"userId\":\"alice\",\"data\":{\"n\": 12345678901234567890123}}\n";
        let parts = read(text);
        let [Part { rows, wrong, bytes }] = parts.as_slice() else { panic!("{parts:?}") };
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.line, row.user.as_str(), row.id.as_deref()), (2, "alice", Some("7")));
        let item =
            r#"{"data":{"n": 12345678901234567890123},"idempotencyKey":"row 7","userId":"alice"}"#;
        assert_eq!((row.json.as_str(), wrong.len(), *bytes), (item, 0, text.len() as u64));
    }

    #[test]
    fn an_own_key_is_kept() {
        let parts = read(r#"{"userId":7,"idempotencyKey":"k","id":"x"}"#);
        assert_eq!(parts[0].rows[0].json, r#"{"idempotencyKey":"k","userId":7}"#);
        assert_eq!(parts[0].rows[0].user, "7");
    }

    #[test]
    fn wrong_lines_are_named() {
        for (line, problem) in [
            ("[]", "no JSON object"),
            ("{", "no JSON object"),
            (r#"{"userId":"alice"}"#, "neither `id` nor `idempotencyKey`"),
            (r#"{"userId":"alice","id":1.5}"#, "`id` is neither"),
            (r#"{"userId":null,"id":1}"#, "`userId` is neither"),
        ] {
            let parts = read(&format!("{{\"userId\":1,\"id\":1}}\n{line}\n"));
            let [wrong] = parts[0].wrong.as_slice() else { panic!("{line}") };
            assert_eq!(wrong.line, 2);
            assert!(wrong.problem.contains(problem), "{line}: {}", wrong.problem);
            assert_eq!(parts[0].rows.len(), 1);
        }
    }

    #[test]
    fn parts_have_the_size_of_a_call() {
        let text: String =
            (0..IMPORT_ROWS + 3).map(|id| format!("{{\"userId\":1,\"id\":{id}}}\n")).collect();
        let sizes: Vec<usize> = read(&text).iter().map(|part| part.rows.len()).collect();
        assert_eq!(sizes, [IMPORT_ROWS, 3]);
        let row =
            format!("{{\"userId\":1,\"id\":1,\"body\":\"{}\"}}\n", "x".repeat(IMPORT_BYTES / 10));
        let sizes: Vec<usize> = read(&row.repeat(25)).iter().map(|part| part.rows.len()).collect();
        assert_eq!(sizes, [10, 10, 5]);
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let text = vec![b'x'; ROW_BYTES_MAX as usize + 1];
        let mut lines = Lines { reader: text.as_slice(), line: 0, bytes: 0 };
        assert!(lines.part().unwrap_err().to_string().contains("line 1"));
    }
}
