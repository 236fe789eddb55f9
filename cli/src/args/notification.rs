//! `bellwire watch`, `notify`, `feed`, `read` and `import`: the notifications of users.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub struct Watch {
    /// Id of the user. The hub needs this user's own token; with another one, --key-file makes it.
    pub user: String,

    /// Start after this position: `id:<id of a notification>`, or `<epoch>:<seq>`. By default with
    /// what comes next.
    #[arg(long, value_name = "CURSOR")]
    pub since: Option<String>,

    /// End after this many notifications.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Notify {
    /// Id of the user.
    pub user: String,

    /// Title, at most 200 characters.
    pub title: String,

    /// Body, at most 4 KiB; `@FILE` reads a file, `-` standard input.
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,

    /// Label for clients, such as `order`.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// Any JSON, at most 8 KiB, sent unchanged; `@FILE` reads a file, `-` standard input.
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,

    /// When it vanishes from the feed, such as 2027-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,

    /// Whether the user's devices get a push.
    #[arg(long, value_name = "WHEN")]
    pub push: Option<PushWhen>,

    /// Seconds between the notification and the push.
    #[arg(long, requires = "push", value_name = "SECONDS")]
    pub push_after: Option<u32>,

    /// Seconds after which the push is worthless.
    #[arg(long, requires = "push", value_name = "SECONDS")]
    pub push_ttl: Option<u32>,

    /// How much a device may be disturbed.
    #[arg(long, requires = "push", value_name = "URGENCY")]
    pub push_urgency: Option<Urgency>,

    /// Pushes with the same text replace each other on the device.
    #[arg(long, requires = "push", value_name = "TEXT")]
    pub push_collapse: Option<String>,

    /// Name of this create: for 24 hours a repeat with it creates nothing. By default a random one,
    /// so that the command itself can repeat the call.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PushWhen {
    Always,
    /// If no hub holds the user.
    Offline,
    /// If it was not read by then.
    Unread,
    Never,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Urgency {
    VeryLow,
    Low,
    Normal,
    High,
}

#[derive(Args, Debug)]
pub struct Feed {
    /// Id of the user.
    pub user: String,

    /// Most entries.
    #[arg(
        long,
        short = 'n',
        default_value_t = 20,
        value_name = "N",
        value_parser = at_least_one,
        conflicts_with = "all"
    )]
    pub limit: usize,

    /// All entries that the record has.
    #[arg(long)]
    pub all: bool,

    /// Only what is unread.
    #[arg(long)]
    pub unread: bool,

    /// Only what is older than this notification, or the `next` of a page.
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Read {
    /// Id of the user.
    pub user: String,

    /// Ids of notifications.
    #[arg(group = "which")]
    pub ids: Vec<String>,

    /// Everything up to this `seq`.
    #[arg(long, group = "which", value_name = "SEQ")]
    pub up_to: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Import {
    /// File with a JSON object a line; `-` reads standard input.
    pub file: PathBuf,

    /// First delete the entries with the rows' ids, which the old service has pushed to the users'
    /// lists.
    #[arg(long)]
    pub replace: bool,
}

fn at_least_one(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("must be a number, 1 or more")
}
