//! Whether the users of a file have the fields that a push's template needs.

use super::{Push, Users, header};
use crate::failure::{Failure, Outcome};
use crate::output::counted;

/// A warning for each field that some users do not have: they get no push.
///
/// # Errors
/// A field that is not a column of the file.
pub fn check(push: &Push, users: &Users, file: &str) -> Outcome<Vec<String>> {
    let mut warnings = Vec::new();
    for field in &push.fields {
        let Some(&count) = users.fields.get(field) else {
            return Err(Failure::usage(missing(field, users, file)));
        };
        if count < users.count {
            let without = counted(users.count - count, "user", "users");
            warnings.push(format!("{without} of {file} without `{field}`: no push for them"));
        }
    }
    Ok(warnings)
}

fn missing(field: &str, users: &Users, file: &str) -> String {
    if header::has_meaning(field) {
        return format!(
            "`{field}` is not a field for templates; add a column of another name; no user was added"
        );
    }
    let names: Vec<&str> = users.fields.keys().map(String::as_str).collect();
    let known = match similar(field, &names) {
        Some(name) => format!("did you mean `{{{{{name}}}}}`?"),
        None if names.is_empty() => "it has no fields".to_owned(),
        None => format!("its fields: {}", names.join(", ")),
    };
    format!(
        "the template needs `{{{{{field}}}}}`, and {file} has no such column ({known}); no user was added"
    )
}

/// The known name that this one most likely means: at most one typing error in three letters.
fn similar<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let name = name.to_lowercase();
    let errors_max = name.chars().count() / 3;
    let distances =
        known.iter().map(|known| (strsim::osa_distance(&name, &known.to_lowercase()), *known));
    let nearest = distances.min_by_key(|(errors, _)| *errors);
    nearest.filter(|(errors, _)| *errors <= errors_max).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(field: &str, csv: &str) -> Result<Vec<String>, String> {
        let push = Push { body: Vec::new(), fields: vec![field.to_owned()] };
        let users = Users::read(csv.as_bytes(), 1000, 1 << 20).unwrap();
        check(&push, &users, "users.csv").map_err(|failure| failure.detail)
    }

    #[test]
    fn users_without_a_field_are_counted() {
        let csv = "userId,name\nalice,A\nbob,\n";
        let warning = "1 user of users.csv without `name`: no push for them";
        assert_eq!(checked("name", csv), Ok(vec![warning.to_owned()]));
        assert_eq!(checked("name", "userId,name\nalice,A\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_field_that_is_no_column_is_named_with_what_it_may_mean() {
        let csv = "userId,fcmToken,name,city\nalice,t,A,B\n";
        for (field, words) in [
            ("Name", "no such column (did you mean `{{name}}`?); no user was added"),
            ("nmae", "did you mean `{{name}}`?"),
            ("age", "no such column (its fields: city, name); no user was added"),
            ("userId", "`userId` is not a field for templates; add a column of another name"),
            ("fcmToken", "`fcmToken` is not a field for templates"),
        ] {
            let problem = checked(field, csv).unwrap_err();
            assert!(problem.contains(words), "{field}: {problem}");
        }
        assert!(checked("name", "userId\nalice\n").unwrap_err().contains("(it has no fields)"));
    }
}
