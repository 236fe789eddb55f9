//! The entries of a campaign with `feed`: each user's once, whatever is repeated.

use push::collapse::Ids;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use shared::campaign_push::End;
use shared::error::Code;
use shared::limits::{BATCH_NOTIFICATIONS_MAX, IDEMPOTENCY_KEY_BYTES_MAX};
use tokio::time::sleep;

use super::block::{Ended, Task};
use super::user::Target;
use crate::functions::wire::{BatchResult, Entry};
use crate::limits::{FEED_RETRY, FUNCTIONS_RETRY};

/// What a user's push is about.
pub(super) struct Written {
    /// Of the entry, or of the campaign.
    pub(super) id: String,
    /// Id of the entry, if there is one and it is known.
    pub(super) entry: Option<String>,
    pub(super) is_in_feed: bool,
}

impl Written {
    fn with_entry(id: String) -> Self {
        Self { entry: Some(id.clone()), id, is_in_feed: true }
    }

    fn without_entry(campaign: &str, is_in_feed: bool) -> Self {
        Self { id: campaign.to_owned(), entry: None, is_in_feed }
    }
}

/// Writes the entries, if the campaign has them. Returns for each target what to push, or the end
/// of it: `None` there stands for one of the ends.
pub(super) async fn write(task: &Task, targets: &[Target]) -> (Vec<Option<Written>>, Vec<Ended>) {
    let options = &task.plan.options;
    let campaign = campaign(task);
    if !options.feed || options.is_dry_run {
        let all =
            targets.iter().map(|_| Some(Written::without_entry(&campaign, options.feed))).collect();
        return (all, Vec::new());
    }
    let (mut written, mut ended) = (Vec::with_capacity(targets.len()), Vec::new());
    for some in targets.chunks(BATCH_NOTIFICATIONS_MAX) {
        write_some(task, &campaign, some, &mut written, &mut ended).await;
    }
    (written, ended)
}

fn campaign(task: &Task) -> String {
    task.campaign.to_string()
}

async fn write_some(
    task: &Task,
    campaign: &str,
    targets: &[Target],
    written: &mut Vec<Option<Written>>,
    ended: &mut Vec<Ended>,
) {
    let is_new = |target: &&Target| target.item.entry.is_none();
    let contents: Vec<Option<Content>> = targets
        .iter()
        .map(|target| Some(target).filter(is_new).and_then(|target| Content::of(task, target)))
        .collect();
    let entries: Vec<Entry<'_>> = targets
        .iter()
        .zip(&contents)
        .filter_map(|(target, content)| {
            let content = content.as_ref()?;
            let user_id = target.element.user_id.as_str();
            Some(Entry {
                user_id,
                title: &content.title,
                body: content.body.as_deref(),
                data: content.data.as_deref(),
                idempotency_key: idempotency_key(campaign, user_id),
            })
        })
        .collect();
    let mut results = loop {
        if !task.lease.may_start() {
            break None;
        }
        if entries.is_empty() {
            break Some(Vec::new());
        }
        match task.parts.api.create(&entries).await {
            Ok(results) => break Some(results.results),
            Err(_) => sleep(FUNCTIONS_RETRY).await,
        }
    }
    .map(Vec::into_iter);
    for (target, content) in targets.iter().zip(&contents) {
        let outcome = match (&target.item.entry, &mut results, content) {
            (Some(entry), _, _) => Ok(Written::with_entry(entry.clone())),
            (_, _, None) => Err(target.ended(End::Failed, "failed", "template_not_filled")),
            (_, None, _) => Err(target.later(std::time::Duration::ZERO, false)),
            (_, Some(results), Some(_)) => outcome(campaign, target, results.next()),
        };
        match outcome {
            Ok(known) => written.push(Some(known)),
            Err(end) => {
                written.push(None);
                ended.push(end);
            }
        }
    }
}

/// What was written, or the end of the user for now.
fn outcome(campaign: &str, target: &Target, result: Option<BatchResult>) -> Result<Written, Ended> {
    let Some(result) = result else { return Err(target.later(FEED_RETRY, false)) };
    match result.notification {
        Some(notification) if (200..300).contains(&result.status) => {
            Ok(Written::with_entry(notification.id))
        }
        _ if result.status == 429 || result.status >= 500 => Err(target.later(FEED_RETRY, false)),
        _ => {
            let code = result.error.map_or_else(|| "refused".to_owned(), |error| error.code);
            if code == Code::IdempotencyMismatch.as_str() {
                // A worker that was lost wrote it, before the template or the user's locale changed.
                return Ok(Written::without_entry(campaign, true));
            }
            Err(target.ended(End::Failed, "failed", &format!("feed_{code}")))
        }
    }
}

/// A key that every attempt of every worker has.
fn idempotency_key(campaign: &str, user: &str) -> String {
    let key = format!("campaign:{campaign}:{user}");
    match key.len() <= IDEMPOTENCY_KEY_BYTES_MAX {
        true => key,
        false => format!("campaign:{}", Ids::new(campaign, user, "feed", None).tag),
    }
}

struct Content {
    title: String,
    body: Option<String>,
    data: Option<Box<RawValue>>,
}

impl Content {
    /// `None` if the user's fields do not fill the template.
    fn of(task: &Task, target: &Target) -> Option<Self> {
        let fields = &target.element.fields;
        let message = task.plan.message("", target.locale(), fields).ok()?;
        let data = with_link(message.data.as_deref(), message.link.as_deref());
        Some(Self { title: message.title.clone(), body: message.body.clone(), data })
    }
}

/// The data, with the link as its member `link`, where the client's bell looks for it.
fn with_link(data: Option<&RawValue>, link: Option<&str>) -> Option<Box<RawValue>> {
    let Some(link) = link else { return data.map(ToOwned::to_owned) };
    let mut members = match data.map(|data| serde_json::from_str(data.get())) {
        None => Map::new(),
        Some(Ok(Value::Object(members))) => members,
        // Nowhere to put it.
        Some(_) => return data.map(ToOwned::to_owned),
    };
    members.entry("link").or_insert_with(|| link.into());
    serde_json::value::to_raw_value(&members).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stands_in_the_data_unless_there_is_one() {
        let shown = |data: Option<&str>, link| {
            let data: Option<Box<RawValue>> = data.map(|it| serde_json::from_str(it).unwrap());
            with_link(data.as_deref(), link).map(|it| it.get().to_owned())
        };
        assert_eq!(shown(None, None), None);
        assert_eq!(shown(None, Some("/a")).unwrap(), r#"{"link":"/a"}"#);
        assert_eq!(shown(Some(r#"{"n":1}"#), Some("/a")).unwrap(), r#"{"link":"/a","n":1}"#);
        assert_eq!(shown(Some(r#"{"link":"/b"}"#), Some("/a")).unwrap(), r#"{"link":"/b"}"#);
        assert_eq!(shown(Some("[1]"), Some("/a")).unwrap(), "[1]");
    }

    #[test]
    fn keys_fit_and_differ() {
        let long = "x".repeat(128);
        assert_eq!(idempotency_key("c", "u"), "campaign:c:u");
        assert!(idempotency_key(&long, &long).len() <= IDEMPOTENCY_KEY_BYTES_MAX);
        assert_ne!(idempotency_key(&long, &long), idempotency_key(&long, &"y".repeat(128)));
    }
}
