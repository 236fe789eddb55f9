//! The header of a CSV file of users: which columns it has, and which of them are fields.

use std::collections::{BTreeMap, HashSet};

use csv::StringRecord;

/// The columns with a meaning of their own, which are not fields.
pub const USER_ID: &str = "userId";
/// See [`USER_ID`].
pub const FCM_TOKEN: &str = "fcmToken";

/// # Errors
/// What is wrong with it.
pub fn check(header: &StringRecord) -> Result<(), String> {
    if !header.iter().any(|name| name == USER_ID) {
        let named = header.iter().take(5).collect::<Vec<_>>().join(", ");
        return Err(format!("the header has no column `userId` (it has: {named})"));
    }
    if let Some(at) = header.iter().position(str::is_empty) {
        return Err(format!("column {} has no name", at + 1));
    }
    let mut seen = HashSet::new();
    match header.iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("the header has the column `{name}` twice")),
        None => Ok(()),
    }
}

/// Whether a column is not a field.
pub fn has_meaning(name: &str) -> bool {
    [USER_ID, FCM_TOKEN].contains(&name)
}

/// The fields, none of which a user has yet.
pub fn fields(header: &StringRecord) -> BTreeMap<String, u64> {
    let names = header.iter().filter(|name| !has_meaning(name));
    names.map(|name| (name.to_owned(), 0)).collect()
}
