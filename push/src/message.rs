//! A push before it is written for one of the services, and how it is made to fit.

use serde_json::value::RawValue;

use crate::outcome::Reason;

/// How important a push is, in the words of RFC 8030.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    VeryLow,
    Low,
    Normal,
    High,
}

impl Urgency {
    /// # Errors
    /// `text` is none of the four words.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        Ok(match text {
            "very-low" => Urgency::VeryLow,
            "low" => Urgency::Low,
            "normal" => Urgency::Normal,
            "high" => Urgency::High,
            _ => return Err("urgency is not one of very-low, low, normal, high"),
        })
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Urgency::VeryLow => "very-low",
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::High => "high",
        }
    }

    /// APNs: 10 is at once, 5 is when it suits the battery, 1 never wakes the device.
    pub(crate) fn apns_priority(self) -> &'static str {
        match self {
            Urgency::VeryLow => "1",
            Urgency::Low | Urgency::Normal => "5",
            Urgency::High => "10",
        }
    }

    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Urgency::VeryLow | Urgency::Low)
    }
}

/// The content of a push, in one language, with its fields filled in.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Id of the notification or campaign.
    pub id: String,
    pub kind: Option<String>,
    pub title: String,
    pub body: Option<String>,
    /// JSON, passed on as it came.
    pub data: Option<Box<RawValue>>,
    /// `https:`, `http:`, or a path that begins with `/`.
    pub link: Option<String>,
    /// `None`: what the service does with a notification that users see.
    pub urgency: Option<Urgency>,
    /// Where the message is too large, leave out `data`, then the end of `body`, rather than refuse
    /// it. True for notifications, whose whole content is in the feed; false for campaigns.
    pub may_shorten: bool,
}

/// The message does not fit a service's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload has {bytes} bytes, at most {bytes_max}")]
pub struct TooLarge {
    pub bytes: usize,
    pub bytes_max: usize,
}

/// Writes a message with `write`, which returns the text and the bytes that count, and shortens the
/// message until it fits.
pub(crate) fn fit<T>(
    message: &Message,
    bytes_max: usize,
    write: impl Fn(&Message) -> (T, usize),
) -> Result<T, TooLarge> {
    let (written, bytes) = write(message);
    if bytes <= bytes_max {
        return Ok(written);
    }
    let first = TooLarge { bytes, bytes_max };
    if !message.may_shorten {
        return Err(first);
    }
    let mut shorter = Message { data: None, ..message.clone() };
    let (mut written, mut bytes) = write(&shorter);
    while bytes > bytes_max {
        let body = shorter.body.take().ok_or(first)?;
        // Escaped characters take more bytes than they count here, so it may need several rounds;
        // each one leaves out at least one character.
        shorter.body = cut(&body, body.len().saturating_sub(bytes - bytes_max));
        (written, bytes) = write(&shorter);
    }
    Ok(written)
}

/// The beginning of `text` with an ellipsis, in fewer than `bytes_max` bytes and shorter than `text`.
/// `None` if nothing would be left.
fn cut(text: &str, bytes_max: usize) -> Option<String> {
    let text = text.strip_suffix('…').unwrap_or(text);
    let end = text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    let start = text.get(..end)?.trim_end();
    (!start.is_empty()).then(|| format!("{start}…"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(message: &Message) -> (String, usize) {
        let json = serde_json::json!({
            "title": message.title, "body": message.body, "data": message.data,
        });
        let text = json.to_string();
        (text.clone(), text.len())
    }

    #[test]
    fn data_goes_first_and_then_the_end_of_the_body() {
        let data = RawValue::from_string(format!("\"{}\"", "d".repeat(3000))).ok();
        let mut message = Message {
            title: "Title".into(),
            body: Some("word ".repeat(100)),
            data,
            may_shorten: true,
            ..Message::default()
        };
        let text = fit(&message, 1000, write).unwrap();
        assert!(text.contains(&"word ".repeat(99)) && !text.contains("ddd"), "{text}");
        let text = fit(&message, 200, write).unwrap();
        assert!(text.contains("wor…") && text.len() <= 200 && text.len() > 190, "{text}");
        assert!(fit(&message, 20, write).is_err(), "the title alone is too large");
        message.may_shorten = false;
        let error = fit(&message, 1000, write).unwrap_err();
        assert!(error.bytes > 3500 && error.bytes_max == 1000, "{error}");
    }

    proptest! {
        #[test]
        fn what_may_be_shortened_fits(body in "(.|\\PC|[\"\\\\\u{1}é😀 ]){0,400}", max in 60_usize..600) {
            let message = Message {
                title: "T".into(), body: Some(body), may_shorten: true, ..Message::default()
            };
            prop_assert!(fit(&message, max, write).unwrap().len() <= max);
        }
    }
}
