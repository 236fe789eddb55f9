//! What a watch has received: where to go on from, and whether something was lost in between.

use super::{Cursor, Frame};

/// The position of a watch, over all of its sockets.
#[derive(Debug, Default)]
pub struct Position {
    cursor: Option<Cursor>,
    /// The epoch of the last frame that had one.
    epoch: Option<String>,
    was_welcomed: bool,
}

impl Position {
    /// Before the first socket; `since` is where it starts.
    pub fn new(since: Option<Cursor>) -> Self {
        Self { cursor: since, ..Self::default() }
    }

    /// Where the next socket goes on.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Whether there was a socket.
    pub fn was_welcomed(&self) -> bool {
        self.was_welcomed
    }

    /// Takes a frame. Returns whether something may be lost in front of it: the first socket starts
    /// where it is, but a later one must name what the watch has.
    pub fn take(&mut self, frame: &Frame) -> bool {
        match frame.kind.as_str() {
            "welcome" | "pong" => {
                let is_later = frame.kind == "welcome" && self.was_welcomed;
                self.was_welcomed |= frame.kind == "welcome";
                self.epoch = frame.epoch.clone().or(self.epoch.take());
                // With a cursor, what was missed follows, up to the position of the frame.
                if self.cursor.is_none() {
                    self.cursor = position(frame);
                    return is_later && (frame.epoch.is_none() || frame.seq > 0);
                }
            }
            "gap" => {
                self.was_welcomed = true;
                self.epoch.clone_from(&frame.epoch);
                self.cursor = position(frame);
            }
            "notification" => {
                if let Some(cursor) = self.after(frame) {
                    self.cursor = Some(cursor);
                }
            }
            _ => {}
        }
        false
    }

    /// The position of one of our notifications. Those of other services may have any `seq`, which
    /// must not move the cursor.
    fn after(&self, frame: &Frame) -> Option<Cursor> {
        let seq = frame.notification["seq"].as_u64()?;
        let id = frame.notification["id"].as_str().filter(|id| is_ours(id))?;
        Some(match &self.epoch {
            Some(epoch) => Cursor::Position { epoch: epoch.clone(), seq },
            None => Cursor::Id(id.to_owned()),
        })
    }
}

fn position(frame: &Frame) -> Option<Cursor> {
    Some(Cursor::Position { epoch: frame.epoch.clone()?, seq: frame.seq })
}

/// Whether an id is a UUID of version 7, as all of ours are.
fn is_ours(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(is_hex)
        && parts.get(2).is_some_and(|part| part.starts_with('7'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a2272d-2600-7c3a-9d1e-6f2a41c08b57";

    fn take(position: &mut Position, frame: &str) -> bool {
        position.take(&Frame::parse(frame))
    }

    fn query(position: &Position) -> String {
        position.cursor().map(Cursor::query).unwrap_or_default()
    }

    #[test]
    fn the_cursor_follows_our_own_notifications() {
        let mut position = Position::default();
        assert!(!take(&mut position, r#"{"type":"welcome","epoch":"e","seq":3}"#));
        assert_eq!(query(&position), "?since=seq%3A3&epoch=e");
        let ours = format!(r#"{{"type":"notification","notification":{{"id":"{ID}","seq":4}}}}"#);
        take(&mut position, &ours);
        assert_eq!(query(&position), "?since=seq%3A4&epoch=e");
        for foreign in [r#"{"id":"x","seq":99}"#, r#"{"seq":99}"#, r#"{"id":7}"#, "5"] {
            take(&mut position, &format!(r#"{{"type":"notification","notification":{foreign}}}"#));
        }
        assert_eq!(query(&position), "?since=seq%3A4&epoch=e");
        // After a resume the frames that follow move it, not the welcome.
        assert!(!take(&mut position, r#"{"type":"welcome","epoch":"e","seq":9}"#));
        assert_eq!(query(&position), "?since=seq%3A4&epoch=e");
        take(&mut position, r#"{"type":"gap","reason":"epoch","epoch":"f","seq":2}"#);
        assert_eq!(query(&position), "?since=seq%3A2&epoch=f");
    }

    #[test]
    fn without_a_feed_it_waits_for_a_position() {
        let mut position = Position::default();
        take(&mut position, r#"{"type":"welcome","epoch":null,"seq":0}"#);
        assert_eq!(query(&position), "");
        let ours = format!(r#"{{"type":"notification","notification":{{"id":"{ID}","seq":1}}}}"#);
        take(&mut position, &ours);
        assert_eq!(query(&position), format!("?since=id%3A{ID}"));
        let mut position = Position::default();
        take(&mut position, r#"{"type":"welcome","epoch":null,"seq":0}"#);
        take(&mut position, r#"{"type":"pong","epoch":"e","seq":0}"#);
        assert_eq!(query(&position), "?since=seq%3A0&epoch=e");
    }

    #[test]
    fn a_later_socket_without_a_cursor_may_have_lost_something() {
        let mut position = Position::default();
        let none = r#"{"type":"welcome","epoch":null,"seq":0}"#;
        assert!(!take(&mut position, none));
        assert!(take(&mut position, none));
        assert!(take(&mut position, r#"{"type":"welcome","epoch":"e","seq":2}"#));
        let mut position = Position::default();
        take(&mut position, none);
        assert!(!take(&mut position, r#"{"type":"welcome","epoch":"e","seq":0}"#));
    }
}
