//! Types of parameters: `{id:int}` in a path. A value is validated before it becomes part of a key
//! or reaches the source, and SQL gets a value of that type.

/// The type of a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamType {
    /// Any id.
    #[default]
    Text,
    /// A 64-bit integer.
    Int,
    /// A UUID.
    Uuid,
}

impl ParamType {
    /// The types that can be declared.
    pub const NAMES: &str = "text, int and uuid";

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(ParamType::Text),
            "int" => Some(ParamType::Int),
            "uuid" => Some(ParamType::Uuid),
            _ => None,
        }
    }

    /// Validates a value. Each value must have one spelling: otherwise it would be cached under
    /// several keys, and invalidating one would leave the others.
    ///
    /// # Errors
    /// The requirement that the value violates.
    pub fn check(self, value: &str) -> Result<(), &'static str> {
        match self {
            ParamType::Text => Ok(()),
            ParamType::Int if is_int(value) => Ok(()),
            ParamType::Int => Err("must be a 64-bit integer in its shortest form"),
            ParamType::Uuid if is_uuid(value) => Ok(()),
            ParamType::Uuid => Err("must be a UUID in lower case, with hyphens"),
        }
    }
}

fn is_int(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

fn is_uuid(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => is_hex(byte),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::ParamType;

    #[test]
    fn a_value_has_one_spelling() {
        for good in ["0", "7", "-7", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(ParamType::Int.check(good), Ok(()), "{good}");
        }
        for bad in ["", "x", "07", "+7", "-0", "7.0", "9223372036854775808", "1e3", "٧", "-"] {
            assert!(ParamType::Int.check(bad).is_err(), "{bad}");
        }
        let uuid = "0192f0c1-2b6e-7cc0-8000-00000000abcd";
        assert_eq!(ParamType::Uuid.check(uuid), Ok(()));
        for bad in
            ["", &uuid.to_uppercase(), &uuid.replace('-', ""), &uuid[1..], &uuid.replace('a', "g")]
        {
            assert!(ParamType::Uuid.check(bad).is_err(), "{bad}");
        }
        assert_eq!(ParamType::Text.check("x"), Ok(()));
        for name in ParamType::NAMES.split(", ").flat_map(|name| name.split(" and ")) {
            assert!(ParamType::named(name).is_some(), "{name}");
        }
    }
}
