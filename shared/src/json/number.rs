//! Integers in JSON: `7`, and with the same value `7.0` and `70e-1`. JSON Schema counts all of them
//! as integers, and serialisers with only one number type write them.

/// Longest decimal text built: longer than any id and any number of Bellwire's.
const DIGITS_MAX: usize = 400;

/// The value of a JSON number, if it is an integer that fits.
pub fn integer(number: &str) -> Option<i64> {
    number.parse().ok().filter(|_| is_plain(number)).or_else(|| integer_text(number)?.parse().ok())
}

/// The decimal text of a JSON number whose value is an integer; `None` if it is not a JSON number,
/// not an integer, or far beyond every range in use.
pub fn integer_text(number: &str) -> Option<String> {
    if is_plain(number) {
        return Some(number.to_owned());
    }
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if !is_plain(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    // The position of the decimal point, in digits from the left.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let point = usize::try_from(point).ok().filter(|point| *point <= DIGITS_MAX)?;
    if digits.len() > point {
        return None;
    }
    let digits = format!("{digits:0<point$}");
    Some(format!("{sign}{}", digits.trim_start_matches('0')))
}

/// Whether the number has no fraction, no exponent and no redundant zeros.
fn is_plain(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && (digits == "0" || !digits.starts_with('0'))
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A longer exponent gives an integer beyond every range in use, or a fraction.
    text.parse().ok().filter(|_| is_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_with_an_integral_value_is_an_integer() {
        for (number, value) in [
            ("607", 607),
            ("607.0", 607),
            ("-607.000", -607),
            ("6.07e2", 607),
            ("6.07E+2", 607),
            ("60700e-2", 607),
            ("0.5e1", 5),
            ("-0", 0),
            ("0.0", 0),
            ("-0.0e5", 0),
            ("0e99999999999", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808.0", i64::MIN),
        ] {
            assert_eq!(integer(number), Some(value), "{number}");
        }
        assert_eq!(integer_text("1e30"), Some(format!("1{}", "0".repeat(30))));
    }

    #[test]
    fn everything_else_is_none() {
        for number in [
            "",
            "-",
            "607.5",
            "6.075e2",
            "1e-1",
            "7.",
            ".7",
            "7e",
            "e7",
            "+7",
            "007",
            "7.0.0",
            " 7",
            "0x7",
            "1e400",
            "1e99999999999999999999",
            "5e-9999999999",
            "--7",
            "7e1.0",
            "\"7\"",
        ] {
            assert_eq!(integer(number), None, "{number}");
        }
        assert_eq!(integer("9223372036854775808"), None);
        assert_eq!(integer("1e19"), None);
    }

    proptest! {
        #[test]
        fn texts_of_any_kind_never_panic(text in "-?[0-9]{0,4}(\\.[0-9]{0,4})?([eE][+-]?[0-9]{0,25})?") {
            if let Some(written) = integer_text(&text) {
                prop_assert!(is_plain(&written), "{} of {}", written, text);
            }
        }

        #[test]
        fn the_value_stays_the_same(value in any::<i32>(), zeros in 0_usize..6) {
            let shifted = format!("{value}{}e-{zeros}", "0".repeat(zeros));
            prop_assert_eq!(integer(&shifted), Some(i64::from(value)));
            let dotted = format!("{value}.{}0", "0".repeat(zeros));
            prop_assert_eq!(integer(&dotted), Some(i64::from(value)));
        }
    }
}
