//! Entity tags in conditional requests (RFC 9110 §13).

/// Whether a list of entity tags, as in `If-None-Match`, names `etag` (without quotes). `*` names
/// every tag; weak and strong tags compare as equal (§8.8.3.2). The first malformed member ends the
/// list.
pub fn names(if_none_match: &str, etag: &str) -> bool {
    let mut rest = if_none_match.trim();
    if rest == "*" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        let Some((tag, behind)) = tag.strip_prefix('"').and_then(|tag| tag.split_once('"')) else {
            return false;
        };
        if tag == etag {
            return true;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_list_names_its_tags() {
        for list in
            ["\"b\"", "\"a\", W/\"b\"", "W/\"b\"", "*", " * ", "\"a,\",,\t\"b\"", "\"a\"\"b\""]
        {
            assert!(names(list, "b"), "{list}");
        }
        for list in
            ["", "b", "\"a\"", "\"B\"", "w/\"b\"", "\"a\", *", "\"b", "a\"b\"", "\"a\", b, \"b\""]
        {
            assert!(!names(list, "b"), "{list}");
        }
    }
}
