//! What a client accepts: `Accept-Encoding` (RFC 9110 §12.5.3).

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }

    pub(super) fn tag_suffix(self) -> &'static str {
        match self {
            Encoding::Brotli => "-br",
            Encoding::Gzip => "-gzip",
        }
    }
}

/// The weight of an encoding (`None`: uncompressed) in thousandths; 0 if it is not named. A client
/// that does not name uncompressed content prefers what it names.
pub(super) fn weight(accepted: &str, encoding: Option<Encoding>) -> u16 {
    let (mut named, mut any) = (None, None);
    for member in accepted.split(',') {
        let (coding, parameters) = member.split_once(';').unwrap_or((member, ""));
        let Some(weight) = quality(parameters) else { continue };
        let coding = coding.trim();
        let is_it = match encoding {
            Some(Encoding::Brotli) => coding.eq_ignore_ascii_case("br"),
            Some(Encoding::Gzip) => {
                ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name))
            }
            None => coding.eq_ignore_ascii_case("identity"),
        };
        if is_it {
            named = named.or(Some(weight));
        } else if coding == "*" {
            any = any.or(Some(weight));
        }
    }
    named.or(any).unwrap_or(0)
}

/// The weight in `;q=0.5`, in thousandths; `None` if it is malformed.
fn quality(parameters: &str) -> Option<u16> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1000);
    }
    let (name, value) = parameters.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(accepted: &str) -> [u16; 3] {
        [Some(Encoding::Brotli), Some(Encoding::Gzip), None].map(|form| weight(accepted, form))
    }

    #[test]
    fn what_a_client_accepts() {
        for (accepted, expected) in [
            ("", [0, 0, 0]),
            ("gzip, deflate, br, zstd", [1000, 1000, 0]),
            ("gzip;q=0.8, br;q=0.5", [500, 800, 0]),
            ("GZIP ; Q=0.25", [0, 250, 0]),
            ("x-gzip", [0, 1000, 0]),
            ("br;q=0, *", [0, 1000, 1000]),
            ("*;q=0.1, br", [1000, 100, 100]),
            ("*;q=0", [0, 0, 0]),
            ("identity", [0, 0, 1000]),
            ("identity;q=0.5, gzip;q=0.4", [0, 400, 500]),
            ("gzip;q=1.000, br;q=0.001", [1, 1000, 0]),
            // The first of two counts; what is malformed, or no encoding, does not.
            ("gzip;q=0, gzip", [0, 0, 0]),
            ("gzip;q=2, br;q=0.0001", [0, 0, 0]),
            ("gzip;level=9, br;q=.5, brr", [0, 0, 0]),
        ] {
            assert_eq!(weights(accepted), expected, "{accepted}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(accepted in "[a-z*;=,. 0-9é]{0,60}") {
            prop_assert!(weights(&accepted).iter().all(|weight| *weight <= 1000));
        }
    }
}
