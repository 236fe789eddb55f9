//! Sends to the users of a block: looks up their addresses, decides, and sends to all devices.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use push::Push;
use push::collapse::Ids;
use push::metrics::Kind;
use shared::campaign_push::{End, Item, PauseReason, When};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::block::{Ended, Task};
use super::element::Element;
use super::{content, feed};
use crate::functions::wire::{AddressesQuery, Device, Prune, Response, User};
use crate::limits::{FUNCTIONS_RETRY, LOOKUP_USERS_MAX};
use crate::sending::{Due, Fate, stop_wait};

/// A user with everything that is known about them.
pub(super) struct Target {
    pub(super) at: usize,
    pub(super) item: Item,
    pub(super) element: Element,
    pub(super) user: User,
    pub(super) due: Due,
}

impl Target {
    /// The devices that are left.
    pub(super) fn devices(&self) -> impl Iterator<Item = &Device> {
        let left = &self.item.devices;
        let is_left = move |device: &&Device| left.is_empty() || left.contains(&device.device);
        self.user.devices.iter().filter(is_left)
    }

    /// The locale of the feed's entry: that of the first device that has one.
    pub(super) fn locale(&self) -> Option<&str> {
        self.user.devices.iter().find_map(|device| device.locale.as_deref())
    }

    pub(super) fn ended(&self, end: End, result: &'static str, reason: &str) -> Ended {
        let response = Response {
            user_id: self.element.user_id.clone(),
            notification_id: None,
            device: None,
            kind: None,
            result,
            reason: Some(reason.to_owned()),
            field: None,
        };
        Ended { at: self.at, end, entry: None, responses: vec![response], pause: None }
    }

    pub(super) fn later(&self, wait: Duration, is_counted: bool) -> Ended {
        let end = End::Later {
            wait,
            attempts: self.item.attempts + u32::from(is_counted),
            is_sent: self.item.is_sent,
            devices: self.item.devices.clone(),
        };
        Ended { at: self.at, end, entry: None, responses: Vec::new(), pause: None }
    }
}

/// Sends to all `items`, and reports each one's end.
pub(super) async fn send_all(
    task: Task,
    claimed_ms: i64,
    items: Vec<(usize, Item)>,
    ended: mpsc::Sender<Ended>,
) {
    let mut named = Vec::with_capacity(items.len());
    for (at, item) in items {
        match Element::parse(&item.element) {
            Some(element) => named.push((at, item, element)),
            None => {
                let _ = ended.send(nothing_said(at, End::Invalid)).await;
            }
        }
    }
    let began = Instant::now();
    let Some(users) = look_up(&task, &named).await else {
        for (at, item, _) in &named {
            let _ = ended.send(nothing_said(*at, End::released(item))).await;
        }
        return;
    };
    let ttl = Duration::from_secs(task.plan.options.ttl_s.unsigned_abs());
    let mut targets = Vec::with_capacity(named.len());
    for ((at, item, element), mut user) in named.into_iter().zip(users) {
        let waited_ms = claimed_ms.saturating_sub(item.first_ms);
        let age = Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0)) + began.elapsed();
        let due = Due { attempts: item.attempts + 1, age, ttl };
        if let Some(token) = element.token.clone() {
            let locale = user.devices.iter().find_map(|device| device.locale.clone());
            user.devices = vec![Device::with_token(token, locale)];
        }
        targets.push(Target { at, item, element, user, due });
    }
    if let Some(reason) = content::refusal(&task, &targets).await {
        for target in &targets {
            let later = target.later(Duration::ZERO, false);
            let _ = ended.send(Ended { pause: Some(reason), ..later }).await;
        }
        return;
    }
    let (notifications, refused) = feed::write(&task, &targets).await;
    for end in refused {
        let _ = ended.send(end).await;
    }
    let sending = targets.iter().zip(&notifications).filter_map(|(target, notification)| {
        let notification = notification.as_ref()?;
        let sending = send(&task, target, notification);
        let entry = notification.entry.clone();
        Some(async move { Ended { entry, ..sending.await } })
    });
    let mut sending: FuturesUnordered<_> = sending.collect();
    while let Some(end) = sending.next().await {
        let _ = ended.send(end).await;
    }
}

fn nothing_said(at: usize, end: End) -> Ended {
    Ended { at, end, entry: None, responses: Vec::new(), pause: None }
}

/// What the functions know about the users, in their order. Waits for functions that are away;
/// `None` if the block is to be given back.
async fn look_up(task: &Task, named: &[(usize, Item, Element)]) -> Option<Vec<User>> {
    let mut users = Vec::with_capacity(named.len());
    for some in named.chunks(LOOKUP_USERS_MAX) {
        let query = AddressesQuery {
            user_ids: some.iter().map(|(_, _, element)| element.user_id.as_str()).collect(),
            presence: task.plan.options.when == When::Offline,
        };
        loop {
            if !task.lease.may_start() {
                return None;
            }
            match task.parts.api.addresses(&query).await {
                Ok(found) => {
                    users.extend(found.users);
                    break;
                }
                Err(_) => sleep(FUNCTIONS_RETRY).await,
            }
        }
    }
    Some(users)
}

/// One user. `notification` is the id of the feed's entry, or the campaign's.
async fn send(task: &Task, target: &Target, notification: &feed::Written) -> Ended {
    let options = &task.plan.options;
    // Who got the notification in the feed was sent something.
    let skipped = if notification.is_in_feed { End::Sent } else { End::Skipped };
    let skip = |reason| target.ended(skipped.clone(), "skipped", reason);
    if options.when == When::Never {
        return skip("never");
    }
    if !target.user.push {
        return skip("preferences");
    }
    if options.when == When::Offline && target.user.online == Some(true) {
        return skip("online");
    }
    if target.due.is_expired() && target.item.attempts > 0 {
        let devices = target.item.devices.clone();
        return target.ended(End::Dead { devices }, "failed", "expired");
    }
    let quiet = target.user.quiet_hours.as_ref().and_then(|it| it.wait(Timestamp::now()));
    if let Some(wait) = quiet {
        return match target.due.can_wait(wait) {
            true => target.later(wait, false),
            false => skip("quiet_hours"),
        };
    }
    let devices: Vec<&Device> = target.devices().collect();
    if devices.is_empty() {
        return match target.item.is_sent {
            true => target.ended(End::Sent, "sent", "device_removed"),
            false => skip("no_device"),
        };
    }
    let sending = devices.iter().map(|device| to_device(task, target, device, &notification.id));
    let fates = join_all(sending).await;
    combined(target, notification, &devices, fates)
}

/// What became of the push to one device; `None` if it was not begun.
async fn to_device(task: &Task, target: &Target, device: &Device, id: &str) -> Option<Fate> {
    let failed = |reason, field| Some(Fate::Failed { reason, field });
    let Some(address) = device.address() else { return failed("unknown_kind", None) };
    let fields = &target.element.fields;
    let message = match task.plan.message(id, device.locale.as_deref(), fields) {
        Ok(message) => message,
        Err(error) => return failed("template_not_filled", Some(error.to_string())),
    };
    let kind = address.kind();
    let user = &target.element.user_id;
    let ids = Ids::new(id, user, &device.device, None);
    let ttl_s = target.due.ttl_left_s();
    let is_dry = task.plan.options.is_dry_run;
    let push = Push { address, message, ids, ttl_s, validate_only: is_dry };
    let sending = &task.parts.sending;
    let outcome = match (is_dry, kind) {
        // The others cannot be asked without sending.
        (true, Kind::WebPush | Kind::Apns) => sending.check(&push).await,
        _ => sending.send(&push, || task.lease.may_start()).await?,
    };
    let prune = || {
        (!is_dry).then(|| Prune {
            user_id: user.clone(),
            device: device.device.clone(),
            rev: device.rev,
            token: device.token.clone(),
        })
    };
    Some(sending.judge(outcome, kind, target.due, &task.guards, prune))
}

/// The end of a user with several devices: sent if one accepted, tried again with those that may
/// yet.
fn combined(
    target: &Target,
    notification: &feed::Written,
    devices: &[&Device],
    fates: Vec<Option<Fate>>,
) -> Ended {
    let (mut is_sent, mut is_failed, mut is_counted) = (target.item.is_sent, false, false);
    let (mut left, mut dead, mut responses) = (Vec::new(), Vec::new(), Vec::new());
    let mut wait: Option<Duration> = None;
    let mut pause = None;
    let sooner = |wait: &mut Option<Duration>, other: Duration| {
        *wait = Some(wait.map_or(other, |known| known.min(other)));
    };
    for (device, fate) in devices.iter().zip(fates) {
        let name = &device.device;
        if let Some(fate) = &fate {
            let about = Some((name.as_str(), device.kind.as_str()));
            let id = notification.entry.as_deref();
            responses.extend(fate.to_response(&target.element.user_id, about, id));
        }
        match fate {
            None => {
                left.push(name.clone());
                sooner(&mut wait, Duration::ZERO);
            }
            Some(Fate::Accepted) => is_sent = true,
            Some(Fate::Failed { .. }) => is_failed = true,
            Some(Fate::Invalid(_)) => {}
            Some(Fate::Dead(_)) => dead.push(name.clone()),
            Some(Fate::Later { wait: other, is_counted: counts, .. }) => {
                is_counted |= counts;
                left.push(name.clone());
                sooner(&mut wait, other);
            }
            Some(Fate::Stopped(_)) => {
                pause = Some(PauseReason::Credentials);
                left.push(name.clone());
                sooner(&mut wait, stop_wait());
            }
        }
    }
    let attempts = target.item.attempts + u32::from(is_counted);
    let end = match wait {
        Some(wait) => End::Later { wait, attempts, is_sent, devices: left },
        None if is_sent => End::Sent,
        None if !dead.is_empty() => End::Dead { devices: dead },
        None if is_failed => End::Failed,
        None => End::Invalid,
    };
    Ended { at: target.at, end, entry: None, responses, pause }
}
