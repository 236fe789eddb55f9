//! Lists that come in pages, `{"items":[…],"next":…}`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{Answer, Api, Call, query};
use crate::failure::Outcome;

/// A page with items of one kind.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Most items of a page of the API.
const PAGE_MAX: usize = 100;

/// Reads pages of `path` until there are `limit` items; `each` gets every answer.
///
/// # Errors
/// Those of the calls and of `each`.
pub async fn read(
    api: &Api,
    path: &str,
    limit: usize,
    mut each: impl FnMut(&Answer) -> Outcome,
) -> Outcome {
    let (mut left, mut cursor) = (limit, None);
    while left > 0 {
        let count = left.min(PAGE_MAX);
        let pairs = [("limit", Some(count.to_string())), ("cursor", cursor)];
        let answer = api.send(Call::get(format!("{path}{}", query(&pairs)))).await?;
        let page: Page<Box<RawValue>> = answer.json()?;
        each(&answer)?;
        // A page may be empty although others follow.
        left = left.saturating_sub(page.items.len());
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}
