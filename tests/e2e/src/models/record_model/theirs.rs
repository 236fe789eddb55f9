//! Deletes of other services' elements, as the component `feed` makes them.

use runtime::feed::removal;
use serde_json::Value;
use shared::notification::our_id_and_seq;

use super::world::{World, user};

impl World {
    /// Of all elements, those with the id go and no other one, and a feed that was warm stays so.
    pub async fn remove_theirs(&mut self, at: usize, pick: u8) -> Result<(), String> {
        let before = self.look(at).await;
        let ids: Vec<Option<String>> = before.elements.iter().map(|text| their_id(text)).collect();
        let known: Vec<&String> = ids.iter().flatten().collect();
        let id = match known.as_slice() {
            [] => "nobody".to_owned(),
            some => some[usize::from(pick) % some.len()].clone(),
        };
        let removed = removal::remove_theirs(&self.redis, &user(at), &id, self.now_ms).await;
        let kept = before.elements.iter().zip(&ids);
        let kept: Vec<&String> =
            kept.filter(|(_, other)| other.as_ref() != Some(&id)).map(|(text, _)| text).collect();
        let count = before.elements.len() - kept.len();
        // Nothing takes their places in a feed that was full.
        self.expected.doubts[at].vacant += count;
        let removed = match removed {
            Err(_) if self.struck() => return Ok(()),
            Err(error) => return Err(format!("the removal failed: {error}")),
            Ok(removed) => removed,
        };
        let feed = self.look(at).await;
        if removed != (count > 0) || !kept.into_iter().eq(&feed.elements) {
            return Err(format!("{id} was not removed: {removed}\n{before:?}\n{feed:?}"));
        }
        if feed.is_warm != before.is_warm {
            return Err(format!("the removal of {id} made the feed cold\n{before:?}\n{feed:?}"));
        }
        Ok(())
    }
}

/// The id of an element of another service.
fn their_id(element: &str) -> Option<String> {
    if our_id_and_seq(element).is_some() {
        return None;
    }
    match serde_json::from_str::<Value>(element).ok()?.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
