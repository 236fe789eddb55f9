//! Whether a campaign's content can be sent at all: found by one trial, before anybody gets
//! anything, rather than by the failure of every user's push.
//!
//! A push that is too large is found without asking the service: for each kind of service and each
//! locale that a block's users have, with the users' fields left empty. What is too large even so is
//! too large for everybody. FCM is also asked once, with `validate_only`. Content that only the fields of
//! some users spoil fails those users.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use push::Push;
use push::collapse::Ids;
use push::message::Message;
use push::metrics::Kind;
use push::outcome::Outcome;
use shared::campaign_push::{PauseReason, When};
use tokio::sync::OnceCell;

use super::block::Task;
use super::user::Target;
use crate::functions::wire::Device;

/// Locales are the devices', so the number of answers is bounded; others are found anew.
const ANSWERS_MAX: usize = 1000;
/// The length of an entry's id, which is not known before the entry is written.
const ENTRY_ID: &str = "00000000-0000-0000-0000-000000000000";

/// What is known about the content.
#[derive(Default)]
pub(super) struct Findings {
    /// Whether it is small enough, by service and locale.
    fits: Mutex<HashMap<(Kind, Option<String>), bool>>,
    /// Whether FCM takes it; empty before it was asked.
    fcm: OnceCell<bool>,
}

impl Findings {
    /// Whether nothing is left to find out about this service and locale.
    fn is_over(&self, kind: Kind, locale: Option<&str>) -> bool {
        let is_asked = kind != Kind::Fcm || self.fcm.get() == Some(&true);
        is_asked && self.fits(kind, locale) == Some(true)
    }

    fn fits(&self, kind: Kind, locale: Option<&str>) -> Option<bool> {
        self.fits.lock().get(&(kind, locale.map(str::to_owned))).copied()
    }

    fn note(&self, kind: Kind, locale: Option<&str>, fits: bool) {
        let mut known = self.fits.lock();
        if known.len() < ANSWERS_MAX {
            known.insert((kind, locale.map(str::to_owned)), fits);
        }
    }
}

/// Why the campaign must pause before these users get anything; `None` if nothing is known against
/// its content.
pub(super) async fn refusal(task: &Task, targets: &[Target]) -> Option<PauseReason> {
    let options = &task.plan.options;
    if options.when == When::Never {
        return None;
    }
    let campaign = task.campaign.to_string();
    let id = if options.feed { ENTRY_ID } else { campaign.as_str() };
    for target in targets {
        let is_online = options.when == When::Offline && target.user.online == Some(true);
        if !target.user.push || is_online {
            continue;
        }
        for device in target.devices() {
            let Some(push) = push_of(task, target, device, id) else { continue };
            if !fits(task, &push, device.locale.as_deref()).await {
                let kind = push.address.kind().as_str();
                tracing::warn!(campaign, kind, "a campaign's content is too large");
                return Some(PauseReason::TooLarge);
            }
            if push.address.kind() == Kind::Fcm && !passes_fcm(task, &push).await {
                return Some(PauseReason::Refused);
            }
        }
    }
    None
}

/// The push to a device; `None` if it says nothing new about the content.
fn push_of(task: &Task, target: &Target, device: &Device, id: &str) -> Option<Push> {
    let address = device.address()?;
    let (kind, locale) = (address.kind(), device.locale.as_deref());
    if task.plan.findings.is_over(kind, locale) || !task.parts.sending.is_configured(kind) {
        return None;
    }
    let message = task.plan.message(id, locale, &target.element.fields).ok()?;
    let ids = Ids::new(id, &target.element.user_id, &device.device, None);
    let ttl_s = target.due.ttl_left_s();
    Some(Push { address, message, ids, ttl_s, validate_only: false })
}

/// Whether the content is small enough for this service and locale.
async fn fits(task: &Task, push: &Push, locale: Option<&str>) -> bool {
    let findings = &task.plan.findings;
    let kind = push.address.kind();
    if let Some(fits) = findings.fits(kind, locale) {
        return fits;
    }
    let Ok(least) = task.plan.least(locale) else { return true };
    let message = Arc::new(Message { id: push.message.id.clone(), ..least });
    let checked = task.parts.sending.check(&Push { message, ..push.clone() }).await;
    let fits = !checked.is_too_large();
    findings.note(kind, locale, fits);
    fits
}

/// Whether FCM takes the content: asked once, with the first push that is small enough.
async fn passes_fcm(task: &Task, push: &Push) -> bool {
    let fcm = &task.plan.findings.fcm;
    if !fcm.initialized() && task.parts.sending.check(push).await != Outcome::Accepted {
        return true;
    }
    let asking = || async {
        let push = Push { validate_only: true, ..push.clone() };
        match task.parts.sending.send(&push, || true).await {
            // A service that names no field may mean the address. With fields in the template, it
            // may be this user's content: the user fails.
            Some(Outcome::Refused { field: Some(field), .. }) if !task.plan.has_fields() => {
                tracing::warn!(field, "a service refuses the content of a campaign");
                false
            }
            _ => true,
        }
    };
    *fcm.get_or_init(asking).await
}
