//! The users of a CSV file: `userId`, `fcmToken`, and every other column as a field. Rows are checked
//! by the code that the functions check them with.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};
use shared::campaign::Recipient;

use super::header::{self, FCM_TOKEN, USER_ID};
use super::quotes::Quotes;
use crate::output::counted;

/// The parts of a file, in order.
#[derive(Debug, Default)]
pub struct Users {
    pub parts: Vec<Part>,
    /// Users in all of them.
    pub count: u64,
    /// The columns that are fields, with the number of users who have each.
    pub fields: BTreeMap<String, u64>,
}

/// Users of one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The number of its first user in the file, from 0 on: with the load's name it names the call.
    pub first: u64,
    pub count: u64,
    /// `{"users":[…]}`.
    pub body: String,
}

/// A row that is not a user.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongRow {
    /// Counted from 1; the header is the first one.
    pub line: u64,
    pub problem: String,
}

impl Users {
    /// Reads all rows; parts have at most `users_max` users and begin a new one after `bytes_max`.
    ///
    /// # Errors
    /// Every wrong row; a missing header is one of line 1.
    pub fn read(from: impl Read, users_max: u64, bytes_max: usize) -> Result<Self, Vec<WrongRow>> {
        let from = Quotes::new(from);
        let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(from);
        let header = reader.headers().cloned();
        let line = reader.get_mut().next_row().unwrap_or(1);
        let header = header.map_err(|error| vec![wrong_csv(line, &error)])?;
        if let Err(problem) = header::check(&header) {
            return Err(vec![wrong_header(line, problem, reader.into_inner())]);
        }
        let users = Users { fields: header::fields(&header), ..Users::default() };
        let mut gathering = Gathering { users_max, bytes_max, users };
        let (mut wrong, mut lines) = (Vec::new(), HashMap::new());
        let (mut row, mut wrong_before_last) = (StringRecord::new(), 0);
        loop {
            let read = reader.read_record(&mut row);
            if matches!(read, Ok(false)) {
                break;
            }
            // Where the row begins: quoted texts may have several lines.
            let line = reader.get_mut().next_row().unwrap_or_else(|| reader.position().line());
            wrong_before_last = wrong.len();
            match read {
                Ok(_) => match user(&header, &row, line, &mut lines) {
                    Ok(json) => gathering.add(&json, &header, &row),
                    Err(problem) => wrong.push(WrongRow { line, problem }),
                },
                Err(error) => wrong.push(wrong_csv(line, &error)),
            }
        }
        if let Some(line) = reader.get_ref().open_since() {
            // All rows after the quote are in the last row, and whatever is wrong with that.
            wrong.truncate(wrong_before_last);
            wrong.push(WrongRow { line, problem: UNCLOSED.to_owned() });
        }
        if wrong.is_empty() { Ok(gathering.finish()) } else { Err(wrong) }
    }
}

const UNCLOSED: &str = "the quote of a cell that begins here is never closed";

/// A row as the JSON of a user; `lines` has the line of each user so far.
fn user(
    header: &StringRecord,
    row: &StringRecord,
    line: u64,
    lines: &mut HashMap<String, u64>,
) -> Result<String, String> {
    let (mut user, mut fields) = (Map::new(), Map::new());
    for (name, text) in header.iter().zip(row) {
        match name {
            USER_ID => drop(user.insert(USER_ID.to_owned(), text.trim().into())),
            // An empty cell is neither a token nor a field.
            _ if text.is_empty() => {}
            FCM_TOKEN => drop(user.insert(FCM_TOKEN.to_owned(), text.into())),
            _ => drop(fields.insert(name.to_owned(), text.into())),
        }
    }
    if !fields.is_empty() {
        user.insert("fields".to_owned(), fields.into());
    }
    let json = to_raw_value(&Value::Object(user)).map_err(|error| error.to_string())?;
    let checked = Recipient::parse(&json, "row").map_err(|error| {
        // `row.userId` is the column's name here.
        error.detail().replace("`row.fields.", "`").replace("`row.", "`")
    })?;
    match lines.insert(checked.user_id.to_string(), line) {
        Some(first) => Err(format!("{} is on line {first} already", checked.user_id)),
        None => Ok(checked.to_json()),
    }
}

/// A header of which `problem` is only the visible part if one of its cells is never closed.
fn wrong_header(line: u64, problem: String, mut rest: Quotes<impl Read>) -> WrongRow {
    match (io::copy(&mut rest, &mut io::sink()), rest.open_since()) {
        (Ok(_), Some(open)) if open == line => WrongRow { line, problem: UNCLOSED.to_owned() },
        _ => WrongRow { line, problem },
    }
}

fn wrong_csv(line: u64, error: &csv::Error) -> WrongRow {
    let problem = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let columns = counted(*len, "column", "columns");
            format!("{columns}, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    WrongRow { line, problem }
}

/// Parts under construction.
struct Gathering {
    users_max: u64,
    bytes_max: usize,
    users: Users,
}

impl Gathering {
    fn add(&mut self, user: &str, header: &StringRecord, row: &StringRecord) {
        for (name, _) in header.iter().zip(row).filter(|(_, text)| !text.is_empty()) {
            if let Some(count) = self.users.fields.get_mut(name) {
                *count += 1;
            }
        }
        let is_full =
            self.users.parts.last().is_none_or(|part| {
                part.count >= self.users_max || part.body.len() >= self.bytes_max
            });
        if is_full {
            self.close();
            let body = "{\"users\":[".to_owned();
            self.users.parts.push(Part { first: self.users.count, count: 0, body });
        }
        if let Some(part) = self.users.parts.last_mut() {
            if part.count > 0 {
                part.body.push(',');
            }
            part.body.push_str(user);
            part.count += 1;
            self.users.count += 1;
        }
    }

    fn close(&mut self) {
        if let Some(part) = self.users.parts.last_mut() {
            part.body.push_str("]}");
        }
    }

    fn finish(mut self) -> Users {
        self.close();
        self.users
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Users, Vec<WrongRow>> {
        Users::read(text.as_bytes(), 1000, 1 << 20)
    }

    fn bodies(users: &Users) -> Vec<&str> {
        users.parts.iter().map(|part| part.body.as_str()).collect()
    }

    #[test]
    fn columns_are_the_members_of_a_user() {
        let text = "userId,fcmToken,name,note\r\n\
                    alice,t1,\"Alice, \"\"A\"\"\",\"two\nlines\"\r\n\
                    7,,,\n";
        let users = read(text).unwrap();
        assert_eq!(users.count, 2);
        assert_eq!(
            bodies(&users),
            [concat!(
                r#"{"users":[{"userId":"alice","fcmToken":"t1","fields":{"name":"Alice, \"A\"","#,
                r#""note":"two\nlines"}},{"userId":"7"}]}"#
            )]
        );
        assert_eq!(
            users.fields,
            [("name", 1), ("note", 1)].map(|(name, count)| (name.to_owned(), count)).into()
        );
        assert_eq!(read("userId\n").unwrap().parts, []);
    }

    #[test]
    fn wrong_rows_are_named_by_their_line() {
        let text = "userId,name\n\
                    alice,\"two\nlines\"\n\
                    a b,x\n\
                    bob\n\
                    alice,again\n\
                    ,nobody\n\
                    carol,ok\n";
        let wrong = read(text).unwrap_err();
        let lines: Vec<u64> = wrong.iter().map(|row| row.line).collect();
        assert_eq!(lines, [4, 5, 6, 7], "{wrong:?}");
        assert_eq!(wrong[1].problem, "1 column, but the header has 2");
        assert_eq!(wrong[2].problem, "alice is on line 2 already");
        assert!(!wrong.iter().any(|row| row.problem.contains("row.")), "{wrong:?}");
    }

    #[test]
    fn lines_are_counted_with_every_kind_of_ending() {
        let text = "userId,name\n\na b,x\n\"c d\",\"two\nlines\"\ne f,x\n";
        for ending in ["\n", "\r\n"] {
            let wrong = read(&text.replace('\n', ending)).unwrap_err();
            let lines: Vec<u64> = wrong.iter().map(|row| row.line).collect();
            assert_eq!(lines, [3, 4, 6], "{ending:?}: {wrong:?}");
        }
    }

    #[test]
    fn a_wrong_header_is_named() {
        for (text, problem) in [
            ("", "no column `userId`"),
            ("user,name\nalice,A\n", "no column `userId` (it has: user, name)"),
            ("userId,a,a\n", "the column `a` twice"),
            ("userId,,a,\nalice,,A,\n", "column 2 has no name"),
        ] {
            let wrong = read(text).unwrap_err();
            assert_eq!((wrong.len(), wrong[0].line), (1, 1));
            assert!(wrong[0].problem.contains(problem), "{wrong:?}");
        }
        let wrong = read("userId,first name\nalice,A\n").unwrap_err();
        assert!(wrong[0].problem.contains("first name"), "{wrong:?}");
    }

    #[test]
    fn a_cell_that_is_never_closed_swallows_no_users() {
        for (text, line) in [
            ("userId,name\nalice,\"A\nbob,B\ncarol,C", 2),
            ("userId,name\nalice,A\nbob,B\n\"carol,C\n", 4),
            ("userId,\"name\nalice,A\n", 1),
            ("\"userId,name\nalice,A\n", 1),
            ("user,\"name\nalice,A\n", 1),
        ] {
            let wrong = read(text).unwrap_err();
            assert_eq!(wrong, [WrongRow { line, problem: UNCLOSED.to_owned() }], "{text:?}");
        }
        let wrong = read("userId,name\nb o b,\"B\"\nalice,\"A\n").unwrap_err();
        assert_eq!(wrong.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3], "{wrong:?}");
    }

    #[test]
    fn parts_have_their_place_in_the_file() {
        let text = (0..7).fold("userId\n".to_owned(), |text, at| text + &format!("u{at}\n"));
        let users = Users::read(text.as_bytes(), 3, 1 << 20).unwrap();
        let places: Vec<_> = users.parts.iter().map(|part| (part.first, part.count)).collect();
        assert_eq!(places, [(0, 3), (3, 3), (6, 1)]);
        let small = Users::read(text.as_bytes(), 1000, 1).unwrap();
        assert_eq!(small.parts.len(), 7);
    }

    proptest! {
        /// Parts depend on nothing but the file, so that a repeat gives the same calls.
        #[test]
        fn any_file_is_read_or_refused(text in "(userId,a\n)?([a-z\",\n]{0,40})") {
            if let Ok(users) = Users::read(text.as_bytes(), 2, 64) {
                let again = Users::read(text.as_bytes(), 2, 64).unwrap();
                prop_assert_eq!(&users.parts, &again.parts);
                prop_assert_eq!(users.parts.iter().map(|part| part.count).sum::<u64>(), users.count);
                for part in users.parts {
                    let body: Value = serde_json::from_str(&part.body).unwrap();
                    prop_assert_eq!(body["users"].as_array().unwrap().len() as u64, part.count);
                }
            }
        }
    }
}
