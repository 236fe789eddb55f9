//! Names of the IANA time zone database. Only names are known here; what a zone's time is, the push
//! worker computes.

/// Zones and links of release 2025b, without `Factory`: one name a line, sorted by bytes.
const NAMES: &str = include_str!("time_zones.txt");

/// Longest name that an error repeats, in bytes; the longest known one has 32.
const SHOWN_BYTES_MAX: usize = 64;

/// Whether the text is a name of a time zone, in the spelling of the database.
pub fn is_known(name: &str) -> bool {
    NAMES.lines().any(|known| known == name)
}

/// The problem with a text that is not a name, for an error about the member.
pub fn problem(name: &str) -> String {
    match name.len() <= SHOWN_BYTES_MAX {
        true => format!("is {name:?}, which is not a name of the IANA time zone database"),
        false => "is not a name of the IANA time zone database".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        let names: Vec<&str> = NAMES.lines().collect();
        assert!(names.is_sorted(), "time_zones.txt is not sorted");
        assert!(names.len() > 500, "{}", names.len());
        for known in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Asia/Calcutta"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["", "europe/berlin", "Mars/Phobos", "Europe", "+02:00", "UTC\n", "Factory"]
        {
            assert!(!is_known(unknown), "{unknown}");
        }
        assert!(problem("Mars/Phobos").contains("\"Mars/Phobos\""));
        assert!(!problem(&"x".repeat(65)).contains("xx"));
    }
}
