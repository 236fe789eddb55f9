//! Texts with parameters in braces.

use shared::ids::{check_id, is_id_char};
use shared::limits::CACHE_TAG_BYTES_MAX;

use crate::param::ParamType;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// The parameter with this index.
    Param(usize),
}

/// A text with placeholders for parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// The meaning of braces without a parameter name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braces {
    /// A mistake.
    Strict,
    /// Ordinary text, as in SQL.
    Lenient,
}

impl Template {
    /// # Errors
    /// A parameter that is not in `params`, or unmatched braces.
    pub fn parse(text: &str, params: &[String], braces: Braces) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            match after.split_once('}') {
                Some((name, behind)) if is_name(name) => {
                    let at = params.iter().position(|param| param == name);
                    let at = at.ok_or_else(|| {
                        let known = named(params);
                        format!("has {{{name}}}, which is not a parameter of `path` ({known})")
                    })?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Param(at));
                    rest = behind;
                }
                Some((text, _)) if is_typed(text, params) => {
                    let name = text.split(':').next().unwrap_or_default();
                    return Err(format!(
                        "has {{{text}}}: types are declared in `path` only; write {{{name}}} here"
                    ));
                }
                _ if braces == Braces::Strict => return Err(STRAY.to_owned()),
                _ => {
                    plain.push('{');
                    rest = after;
                }
            }
        }
        if braces == Braces::Strict && rest.contains('}') {
            return Err(STRAY.to_owned());
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The text, with `push` writing each parameter's value.
    pub fn fill(&self, values: &[String], push: impl Fn(&mut String, &str)) -> String {
        let mut text = String::with_capacity(64);
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Param(at) => push(&mut text, values.get(*at).map_or("", String::as_str)),
            }
        }
        text
    }

    /// Length in bytes with parameters of `param_bytes` each.
    pub fn bytes_max(&self, param_bytes: usize) -> usize {
        let bytes = |piece: &Piece| match piece {
            Piece::Text(plain) => plain.len(),
            Piece::Param(_) => param_bytes,
        };
        self.0.iter().map(bytes).sum()
    }

    pub fn has(&self, param: usize) -> bool {
        self.0.contains(&Piece::Param(param))
    }

    /// Parts between colons: `None` for one that contains a parameter.
    ///
    /// # Errors
    /// Two parameters in one part, whose values could not be separated.
    pub fn parts(&self) -> Result<Vec<Option<String>>, String> {
        let mut parts: Vec<Option<String>> = vec![Some(String::new())];
        for piece in &self.0 {
            match (piece, parts.last_mut()) {
                (Piece::Param(_), Some(last @ Some(_))) => *last = None,
                (Piece::Param(_), _) => {
                    return Err("needs a \":\" between two parameters".to_owned());
                }
                (Piece::Text(text), _) => {
                    for (nth, part) in text.split(':').enumerate() {
                        match parts.last_mut() {
                            Some(Some(last)) if nth == 0 => last.push_str(part),
                            _ if nth == 0 => {}
                            _ => parts.push(Some(part.to_owned())),
                        }
                    }
                }
            }
        }
        Ok(parts)
    }
}

const STRAY: &str = "has braces without a parameter name: write {name}";

/// The parameters, for error texts.
pub fn named(params: &[String]) -> String {
    match params {
        [] => "it has none".to_owned(),
        _ => format!("it has {{{}}}", params.join("}, {")),
    }
}

/// Whether a text is a parameter with a type.
fn is_typed(text: &str, params: &[String]) -> bool {
    let parts = text.split_once(':');
    parts.is_some_and(|(name, rest)| {
        params.iter().any(|param| param == name) && ParamType::named(rest).is_some()
    })
}

/// Whether two lists of parts can produce the same text.
pub fn may_meet(a: &[Option<String>], b: &[Option<String>]) -> bool {
    let meets = |(a, b): (&Option<String>, &Option<String>)| match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.len() == b.len() && a.iter().zip(b).all(meets)
}

/// Appends the value unchanged: for keys, whose values are ids.
pub fn push_plain(text: &mut String, value: &str) {
    text.push_str(value);
}

/// Appends the value percent-encoded, except RFC 3986's unreserved characters.
pub fn push_encoded(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
}

pub fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Validates the fixed text of keys, tags and paths: the alphabet of ids, and `:`.
pub fn check_fixed(text: &str) -> Result<(), String> {
    for part in text.split(':').filter(|part| !part.is_empty()) {
        check_id(part, "text").map_err(|error| {
            let detail = error.detail();
            detail.strip_prefix("the text ").unwrap_or(detail).to_owned()
        })?;
    }
    Ok(())
}

/// Whether a text is a valid tag with its parameters filled in; it may be longer than an id.
pub fn is_tag(text: &str) -> bool {
    let is_tag_char = |c: char| c == ':' || is_id_char(c);
    (1..=CACHE_TAG_BYTES_MAX).contains(&text.len()) && text.chars().all(is_tag_char)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, String> {
        Template::parse(text, &["a".to_owned(), "b".to_owned()], Braces::Strict)
    }

    #[test]
    fn fills_in_and_encodes() {
        let values = ["x/y?".to_owned(), "ü".to_owned()];
        let template = parse("/p/{a}?q={b}").unwrap();
        assert_eq!(template.fill(&values, push_encoded), "/p/x%2Fy%3F?q=%C3%BC");
        assert_eq!(template.fill(&values, push_plain), "/p/x/y??q=ü");
        for bad in ["{c}", "{", "}", "{a", "{}", "{{a}}", "{ a }"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let sql = Template::parse("'{}' || {a}", &["a".to_owned()], Braces::Lenient).unwrap();
        assert_eq!(sql.0, [Piece::Text("'{}' || ".to_owned()), Piece::Param(0)]);
    }

    #[test]
    fn parts_decide_which_keys_can_collide() {
        let parts = |text: &str| parse(text).unwrap().parts().unwrap();
        assert_eq!(parts("p:{a}"), [Some("p".to_owned()), None]);
        assert_eq!(parts("p:x{a}y:q").len(), 3);
        assert!(may_meet(&parts("p:{a}"), &parts("p:me")));
        assert!(!may_meet(&parts("p:{a}"), &parts("q:{a}")));
        assert!(!may_meet(&parts("p:{a}"), &parts("p:{a}:x")));
        assert!(parse("p{a}{b}").unwrap().parts().is_err());
        assert!(parse("p{a}-{b}").unwrap().parts().is_err());
        assert!(parse("p{a}:{b}").unwrap().parts().is_ok());
    }
}
