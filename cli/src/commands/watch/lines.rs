//! The lines of a watch for people.

use crate::hub::Frame;
use crate::output::{BOLD, DIM, WARN, clean, paint, time};

/// `2026-11-29 12:00:00  #3  order  Your order has shipped · Body`.
pub fn notification(frame: &Frame) -> String {
    let [created, kind, title, body] =
        ["createdAt", "kind", "title", "body"].map(|name| frame.text(name));
    let seq = frame.notification["seq"].as_u64().map(|seq| format!("#{seq}  ")).unwrap_or_default();
    let kind = if kind.is_empty() { String::new() } else { format!("{}  ", clean(&kind)) };
    let title = match (title.is_empty(), frame.notification.is_null()) {
        // Of another service, which calls its title something else.
        (true, false) => frame.notification.to_string(),
        _ => title,
    };
    let body = if body.is_empty() { String::new() } else { format!(" · {}", clean(&body)) };
    let head = paint(DIM, format!("{}  {seq}{kind}", time(&created)).trim_start());
    format!("{head}{}{body}", paint(BOLD, clean(&title)))
}

/// What else happened, for standard error.
pub fn event(kind: &str, frame: &Frame, user: &str) -> Option<String> {
    let unread = match frame.unread {
        Some(unread) => format!("{unread} unread"),
        None => "unread not known".to_owned(),
    };
    let count = || frame.ids.as_ref().map_or(0, Vec::len);
    Some(match kind {
        // The number is not known where there is no feed yet.
        "welcome" if frame.unread.is_none() => paint(DIM, "connected"),
        "welcome" => paint(DIM, format!("connected; {unread}")),
        "gap" => {
            let why = match frame.reason.as_deref() {
                Some("epoch") => "the record was replaced".to_owned(),
                _ => format!("notifications up to #{} cannot be delivered", frame.seq),
            };
            paint(WARN, format!("gap: {why}; read them with: bellwire feed {user}"))
        }
        "read" => {
            let which = match frame.up_to {
                Some(seq) => format!("up to #{seq}"),
                None => count().to_string(),
            };
            paint(DIM, format!("read: {which}; {unread}"))
        }
        "removed" => {
            let which = if frame.all { "all".to_owned() } else { count().to_string() };
            paint(DIM, format!("removed: {which}; {unread}"))
        }
        _ => return None,
    })
}
