//! The messages: notifications of 200 bytes with their publishing time, user and number. These
//! stand at the end in a fixed width, so that 10,000 clients find them without parsing JSON.

use std::io::Write as _;

/// Bytes of a notification, which is the payload of the frame.
pub const NOTIFICATION_BYTES: usize = 200;
const TITLE: &str = "Your order is on its way to your door";
const AFTER_TITLE: &[u8] = br#"","createdAt":"2026-11-22T05:22:14.000Z","#;
const TAIL: &[u8] = br#""data":{"at":""#;
const AT_DIGITS: usize = 16;
const TO_DIGITS: usize = 5;
const NTH_DIGITS: usize = 8;
/// `at`, `","to":"`, `to`, `","n":"`, `n`.
const TO_AT: usize = AT_DIGITS + 8;
const NTH_AT: usize = TO_AT + TO_DIGITS + 7;
const AFTER_TITLE_BYTES: usize = AFTER_TITLE.len() + TAIL.len() + NTH_AT + NTH_DIGITS + 3;

/// The data inside a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// Number of the user.
    pub to: u32,
    /// Number of the notification; each user's first is 1.
    pub nth: u32,
}

/// Appends the channel message, as the functions publish it.
pub fn message(bytes: &mut Vec<u8>, user: &str, epoch: &str, mark: Mark) {
    bytes.extend_from_slice(b"{\"notification\":");
    notification(bytes, user, mark);
    put(bytes, format_args!(r#","bw":{{"epoch":"{epoch}","seq":{}}}}}"#, mark.nth));
}

/// Appends only the notification, with a title that fills it to its size.
pub fn notification(bytes: &mut Vec<u8>, user: &str, mark: Mark) {
    let Mark { at_us, to, nth } = mark;
    let begin = bytes.len();
    let id = u64::from(to) << 24 | u64::from(nth & 0xff_ffff);
    put(bytes, format_args!(r#"{{"id":"0199f0c0-0000-7000-8000-{id:012x}","userId":"{user}","#));
    put(bytes, format_args!(r#""seq":{nth},"title":""#));
    let room = NOTIFICATION_BYTES.saturating_sub(bytes.len() - begin + AFTER_TITLE_BYTES);
    bytes.extend_from_slice(TITLE.as_bytes().get(..room).unwrap_or(TITLE.as_bytes()));
    bytes.extend_from_slice(AFTER_TITLE);
    bytes.extend_from_slice(TAIL);
    put(bytes, format_args!(r#"{at_us:016}","to":"{to:05}","n":"{nth:08}"}}}}"#));
}

/// Writing to a vector cannot fail.
fn put(bytes: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = bytes.write_fmt(text);
}

/// Reads the data from a frame, regardless of the bytes around the notification.
pub fn read(payload: &[u8]) -> Option<Mark> {
    let at = payload.windows(TAIL.len()).rposition(|part| part == TAIL)?;
    let fields = payload.get(at + TAIL.len()..)?;
    let digits = |at: usize, count: usize| {
        let digits = fields.get(at..at + count)?;
        digits.iter().try_fold(0, |number: u64, &digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        })
    };
    Some(Mark {
        at_us: digits(0, AT_DIGITS)?,
        to: u32::try_from(digits(TO_AT, TO_DIGITS)?).ok()?,
        nth: u32::try_from(digits(NTH_AT, NTH_DIGITS)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::wire::Message;

    #[test]
    fn messages_are_valid_and_have_their_size() {
        for nth in [1, 99_999_999] {
            let mark = Mark { at_us: 1_234_567, to: 9_999, nth };
            let mut bytes = Vec::new();
            message(&mut bytes, "user-09999", "an epoch", mark);
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.user_id, "user-09999");
            assert_eq!(message.position.unwrap().1, i64::from(nth));
            assert_eq!(message.notification.len(), NOTIFICATION_BYTES);
            assert_eq!(read(message.notification.as_bytes()), Some(mark));
            assert_eq!(read(&bytes), Some(mark));
            let parsed: serde_json::Value = serde_json::from_str(message.notification).unwrap();
            assert_eq!(parsed["seq"], nth);
        }
    }

    #[test]
    fn other_payloads_have_no_mark() {
        for other in ["", "{}", r#""data":{"at":""#, r#""data":{"at":"00000000000000x0","to":"#] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
