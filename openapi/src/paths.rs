//! Every operation, by the component that serves it.

mod cache;
mod campaign_push;
mod campaigns;
mod devices;
mod feed;
mod notifications;
mod ops;
mod presence;
mod pushes;
mod queues;
mod tokens;

use shared::Code;

use crate::operation::Operation;
use crate::schemas::Named;

/// The errors of a call that needs Redis.
const REDIS: [Code; 2] = [Code::RedisUnavailable, Code::WrongType];
/// The errors of a call that needs Redis and the record.
const BOTH: [Code; 3] = [Code::RedisUnavailable, Code::RecordUnavailable, Code::WrongType];

pub fn all() -> Vec<Operation> {
    let groups = [
        cache::operations(),
        campaigns::operations(),
        campaign_push::operations(),
        feed::operations(),
        notifications::operations(),
        ops::operations(),
        presence::operations().into(),
        pushes::operations(),
        queues::operations(),
        tokens::operations(),
        devices::operations(),
    ];
    groups.into_iter().flatten().collect()
}

/// The schemas that only one component uses.
pub fn schemas() -> Vec<Named> {
    let groups = [
        cache::schemas(),
        campaigns::schemas(),
        campaign_push::schemas(),
        feed::schemas(),
        notifications::schemas(),
        ops::schemas(),
        presence::schemas(),
        pushes::schemas(),
        queues::schemas(),
        tokens::schemas(),
        devices::schemas(),
    ];
    groups.into_iter().flatten().collect()
}
