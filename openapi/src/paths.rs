//! Every operation, by the component that serves it.

mod cache;
mod campaigns;
mod feed;
mod notifications;
mod ops;
mod presence;
mod queues;
mod tokens;

use shared::Code;

use crate::operation::Operation;
use crate::schemas::Named;

/// What a call that needs Redis may answer.
const REDIS: [Code; 2] = [Code::RedisUnavailable, Code::WrongType];
/// What a call that needs both may answer.
const BOTH: [Code; 3] = [Code::RedisUnavailable, Code::RecordUnavailable, Code::WrongType];

pub fn all() -> Vec<Operation> {
    let groups = [
        cache::operations(),
        campaigns::operations(),
        feed::operations(),
        notifications::operations(),
        ops::operations(),
        presence::operations().into(),
        queues::operations(),
        tokens::operations(),
    ];
    groups.into_iter().flatten().collect()
}

/// The schemas that belong to one component.
pub fn schemas() -> Vec<Named> {
    let groups = [
        cache::schemas(),
        campaigns::schemas(),
        feed::schemas(),
        notifications::schemas(),
        ops::schemas(),
        presence::schemas(),
        queues::schemas(),
        tokens::schemas(),
    ];
    groups.into_iter().flatten().collect()
}
