//! `bellwire watch`: a user's notifications as they arrive. It connects again after every cut, goes
//! on after the last notification that it showed, and shows gaps.

mod lines;
mod tokens;

use std::time::Duration;

use serde_json::json;
use shared::UserId;
use tokio::time::{sleep, timeout};

use super::Context;
use crate::api::{Api, Call, join};
use crate::args::Watch;
use crate::failure::{Failure, Kind, Outcome};
use crate::hub::{Closed, Cursor, Frame, Position, Received, Refused, Socket};
use crate::limits::{RECONNECT_MAX, RECONNECT_MIN};
use crate::output::{WARN, note, paint};
use crate::secrets::Token;

use tokens::Tokens;

/// The close code for an expired token.
const TOKEN_EXPIRED: u16 = 4401;

pub async fn run(context: &Context, args: &Watch) -> Outcome {
    check_user(&args.user)?;
    let mut watching = Watching {
        context,
        user: &args.user,
        position: Position::new(args.since.as_deref().map(Cursor::parse).transpose()?),
        left: args.count,
        wait: RECONNECT_MIN,
        asked_wait: None,
    };
    let watching = watching.run();
    let watching = async {
        match args.seconds {
            None => watching.await,
            Some(seconds) => {
                timeout(Duration::from_secs(seconds), watching).await.unwrap_or(Ok(()))
            }
        }
    };
    tokio::select! {
        outcome = watching => outcome,
        // It ends in no other way.
        _ = super::interrupted() => Ok(()),
    }
}

/// Before a token is made for the user, of whom the hub would only say that the token has no feed.
fn check_user(user: &str) -> Outcome {
    let Err(error) = UserId::parse(user) else { return Ok(()) };
    let code = Some(error.code().as_str().to_owned());
    Err(Failure { code, ..Failure::usage(error.detail()) })
}

struct Watching<'a> {
    context: &'a Context,
    user: &'a str,
    position: Position,
    /// Notifications until the end.
    left: Option<u64>,
    /// The next wait before it connects again.
    wait: Duration,
    /// The time of a `reconnect`.
    asked_wait: Option<Duration>,
}

/// How one socket ended for the watch.
enum End {
    /// All that was wanted has been shown.
    Done,
    Closed(Closed),
}

impl Watching<'_> {
    async fn run(&mut self) -> Outcome {
        let tokens = Tokens { settings: &self.context.settings, user: self.user };
        let mut token = tokens.first().await?;
        loop {
            let settings = &self.context.settings;
            let opening =
                Socket::open(&settings.hub_url, self.position.cursor(), &token, settings.timeout);
            let wait = match opening.await {
                Ok(socket) => match self.show(socket, &token).await? {
                    End::Done => return Ok(()),
                    End::Closed(closed) => {
                        closed.terminal()?;
                        let is_expired = closed.code == TOKEN_EXPIRED;
                        let wait = self.next_wait(None);
                        self.tell_closed(&closed, wait)?;
                        if is_expired {
                            token = tokens.renewed(&token)?;
                        }
                        wait
                    }
                },
                Err(refused) if refused.failure.code.as_deref() == Some("token_expired") => {
                    token = tokens.renewed(&token).map_err(|_| refused.failure)?;
                    continue;
                }
                Err(refused) => self.after_refusal(refused)?,
            };
            sleep(wait).await;
        }
    }

    /// Before the first socket a hub that is not there is an error: the address may be wrong.
    fn after_refusal(&mut self, refused: Refused) -> Outcome<Duration> {
        let Refused { failure, retry_after } = refused;
        if failure.kind != Kind::Unreachable
            || (!self.position.was_welcomed() && retry_after.is_none())
        {
            return Err(failure);
        }
        let wait = self.next_wait(retry_after);
        self.tell(
            &json!({"type": "disconnected", "reason": failure.detail, "retryInMs": millis(wait)}),
            || format!("{failure}; again in {} s", wait.as_secs_f32().ceil()),
        )?;
        Ok(wait)
    }

    /// Shows what comes, until the socket ends.
    async fn show(&mut self, mut socket: Socket, token: &Token) -> Outcome<End> {
        loop {
            let text = match socket.next().await {
                Received::Text(text) => text,
                Received::Closed(closed) => return Ok(End::Closed(closed)),
            };
            let frame = Frame::parse(&text);
            self.follow(&frame, &mut socket, token).await?;
            if frame.kind != "pong" {
                self.print(&text, &frame)?;
            }
            if frame.kind == "notification"
                && let Some(left) = &mut self.left
            {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    socket.close().await;
                    return Ok(End::Done);
                }
            }
        }
    }

    /// Notes what a frame means for the next socket.
    async fn follow(&mut self, frame: &Frame, socket: &mut Socket, token: &Token) -> Outcome {
        let is_lost = self.position.take(frame);
        match frame.kind.as_str() {
            "welcome" => {
                self.wait = RECONNECT_MIN;
                if self.position.cursor().is_none() {
                    self.create_feed(token).await;
                    socket.ask().await;
                }
            }
            "reconnect" => self.asked_wait = frame.after_ms.map(Duration::from_millis),
            _ => {}
        }
        if !is_lost {
            return Ok(());
        }
        let gap =
            json!({"type": "gap", "reason": "missed", "epoch": frame.epoch, "seq": frame.seq});
        let text = gap.to_string();
        self.print(&text, &Frame::parse(&text))
    }

    /// A user who has no feed in Redis has no position either; reading it once makes it. Without
    /// that a cut before the first notification could lose it.
    async fn create_feed(&self, token: &Token) {
        let settings = &self.context.settings;
        let path = join(["users", self.user, "notifications"]) + "?limit=1";
        if let Ok(api) = Api::new(&settings.url, Some(token.clone()), settings.timeout) {
            let _ = api.send(Call::get(path)).await;
        }
    }

    fn print(&self, text: &str, frame: &Frame) -> Outcome {
        if self.context.output.json {
            return Ok(self.context.output.json_text(text)?);
        }
        match frame.kind.as_str() {
            "notification" => self.context.output.line(lines::notification(frame))?,
            kind => {
                if let Some(line) = lines::event(kind, frame, self.user) {
                    note(line);
                }
            }
        }
        Ok(())
    }

    fn next_wait(&mut self, asked: Option<Duration>) -> Duration {
        let asked = asked.or(self.asked_wait.take());
        let own = self.wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.wait = (self.wait * 2).min(RECONNECT_MAX);
        asked.unwrap_or(own)
    }

    fn tell_closed(&self, closed: &Closed, wait: Duration) -> Outcome {
        let event = json!({
            "type": "disconnected", "code": closed.code, "reason": closed.reason,
            "retryInMs": millis(wait),
        });
        self.tell(&event, || {
            format!("disconnected: {closed}; again in {:.1} s", wait.as_secs_f32())
        })
    }

    fn tell(&self, event: &serde_json::Value, line: impl Fn() -> String) -> Outcome {
        match self.context.output.json {
            true => self.context.output.json(event)?,
            false => note(paint(WARN, line())),
        }
        Ok(())
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_says_which_characters_it_may_have() {
        for user in ["al ice", "a/b", "é"] {
            let failure = check_user(user).unwrap_err();
            assert!(failure.detail.contains("allowed are A-Z a-z 0-9"), "{failure}");
            assert_eq!((failure.kind, failure.code.as_deref()), (Kind::Usage, Some("invalid_id")));
        }
        assert!(check_user("alice@example.com").is_ok());
    }
}
