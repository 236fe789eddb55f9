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

/// What a call that needs Redis may say.
const REDIS: [Code; 2] = [Code::RedisUnavailable, Code::WrongType];
/// What a call that needs both may say.
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
