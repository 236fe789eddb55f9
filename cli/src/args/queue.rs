//! `bellwire queues` and `bellwire queue`.

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct Queues {
    /// Show them once. This is the default with --json, and if the output is not a terminal.
    #[arg(long)]
    pub once: bool,

    /// Seconds between two looks.
    #[arg(
        long,
        default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_name = "SECONDS"
    )]
    pub interval: u64,
}

#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Append messages.
    Send(QueueSend),
    /// Receive messages; they come again unless they are acknowledged in time.
    Receive(QueueReceive),
    /// Acknowledge received messages.
    Ack(QueueAck),
    /// Return received messages to the queue.
    Nack(QueueNack),
    /// Show dead letters, oldest first.
    Dead(QueueDead),
    /// Put dead letters back, the oldest if none are named.
    Redrive(QueueRedrive),
}

#[derive(Args, Debug)]
pub struct QueueSend {
    /// Name of the queue.
    pub queue: String,

    /// Payloads, any JSON each, sent unchanged. `-` reads one per line from standard input.
    #[arg(required = true, value_name = "JSON")]
    pub messages: Vec<String>,

    /// Seconds until they can be received.
    #[arg(long, value_name = "SECONDS")]
    pub delay: Option<u32>,

    /// Name of this send: for five minutes a second one with it appends nothing. By default a
    /// random one, so that the command itself can repeat the call.
    #[arg(long, value_name = "ID")]
    pub dedup_id: Option<String>,
}

#[derive(Args, Debug)]
pub struct QueueReceive {
    /// Name of the queue.
    pub queue: String,

    /// Most messages.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub max: u32,

    /// Seconds for which other receivers do not get them.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub visibility: u32,

    /// Acknowledge them once they are printed.
    #[arg(long)]
    pub ack: bool,
}

#[derive(Args, Debug)]
pub struct QueueAck {
    /// Name of the queue.
    pub queue: String,

    /// Receipts.
    #[arg(required = true, value_name = "RECEIPT")]
    pub receipts: Vec<String>,
}

#[derive(Args, Debug)]
pub struct QueueNack {
    /// Name of the queue.
    pub queue: String,

    /// Receipts.
    #[arg(required = true, value_name = "RECEIPT")]
    pub receipts: Vec<String>,

    /// Seconds until they can be received again.
    #[arg(long, value_name = "SECONDS")]
    pub delay: Option<u32>,

    /// Why; dead letters show it.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Args, Debug)]
pub struct QueueDead {
    /// Name of the queue.
    pub queue: String,

    /// Most dead letters.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

#[derive(Args, Debug)]
pub struct QueueRedrive {
    /// Name of the queue.
    pub queue: String,

    /// Ids of dead letters.
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,

    /// Most dead letters, if none are named.
    #[arg(long, value_name = "N", conflicts_with = "ids")]
    pub max: Option<u32>,
}
