//! Campaigns in Redis, written as the functions and other services write them.

use std::time::Duration;

use serde_json::{Value, json};
use shared::campaign_push::index;
use shared::campaign_push::progress::Progress;
use shared::limits::CAMPAIGN_TTL_S;
use shared::script::{self, Script};
use shared::{CampaignId, keys};
use support::wait::eventually_within;

use super::World;

const ID: &str = "spring";

impl World {
    /// A campaign of these elements with a template; `more` replaces options.
    pub async fn campaign(&self, elements: impl IntoIterator<Item = Value>, more: Value) {
        let mut options = json!({
            "template": {"title": "Sale"}, "when": "always", "rate": 10_000, "startAtMs": 0,
            "ttlSeconds": 3600, "dryRun": false, "responses": "failures", "doubt": "resend",
            "feed": false,
        });
        for (name, value) in more.as_object().unwrap() {
            options[name] = value.clone();
        }
        let elements: Vec<String> = elements.into_iter().map(|it| it.to_string()).collect();
        let list = keys::campaign(&id());
        let mut connection = self.at(&list).await.connection().await;
        for some in elements.chunks(1000) {
            let mut pipeline = redis::pipe();
            pipeline.cmd("RPUSH").arg(&list).arg(some).ignore();
            pipeline.cmd("EXPIRE").arg(&list).arg(CAMPAIGN_TTL_S).ignore();
            let () = pipeline.query_async(&mut connection).await.unwrap();
        }
        let rate = options["rate"].to_string();
        let args = [options.to_string(), rate, "0".to_owned()];
        let _: redis::Value = self.eval(&script::PUSH_START, &args).await;
        self.touch().await;
    }

    /// `users` users without a token of their own.
    pub async fn users(&self, users: usize, more: Value) {
        self.campaign((0..users).map(|n| json!({"userId": format!("u{n}")})), more).await;
    }

    pub async fn progress(&self) -> Progress {
        let reply: Vec<Vec<u8>> = self.eval(&script::PUSH_PROGRESS, &[]).await;
        Progress::parse(&reply).unwrap()
    }

    /// `pause`, `resume` or `cancel`.
    pub async fn control(&self, action: &str) {
        let _: redis::Value = self.eval(&script::PUSH_CONTROL, &[action.to_owned()]).await;
        self.touch().await;
    }

    /// Puts the users back who were given up.
    pub async fn redrive(&self) {
        let _: redis::Value = self.eval(&script::PUSH_REDRIVE, &["1000".to_owned()]).await;
        self.touch().await;
    }

    /// Puts the campaign into the index.
    async fn touch(&self) {
        let touch = index::touch(&id());
        let mut connection = self.at(&touch.keys[0]).await.connection().await;
        let mut command = redis::cmd("EVAL");
        command.arg(touch.script.source).arg(touch.keys.len()).arg(touch.keys).arg(touch.args);
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
    }

    /// Waits until the progress is as asked for.
    pub async fn until(&self, what: &str, is: impl Fn(&Progress) -> bool) -> Progress {
        eventually_within(Duration::from_secs(60), what, async || {
            let progress = self.progress().await;
            is(&progress).then_some(progress)
        })
        .await
    }

    /// The campaign's responses.
    pub async fn responses(&self) -> Vec<Value> {
        let key = keys::campaign_responses(&id());
        let all = self.at(&key).await.list(&key).await;
        all.iter().map(|json| serde_json::from_str(json).unwrap()).collect()
    }

    async fn eval<T: redis::FromRedisValue>(&self, script: &Script, args: &[String]) -> T {
        let keys = keys::campaign_push(&id());
        let mut command = redis::cmd("EVAL");
        command.arg(script.source).arg(keys.len()).arg(&keys[..]);
        command.arg(CAMPAIGN_TTL_S).arg(args);
        // Where the campaign is may change between the two steps, or be away for seconds.
        eventually_within(Duration::from_secs(60), "the campaign can be asked", async || {
            let mut connection = self.at(&keys[0]).await.try_connection().await.ok()?;
            match command.query_async(&mut connection).await {
                Ok(answer) => Some(answer),
                Err(error) if error.is_cluster_error() || error.is_io_error() => None,
                Err(error) => panic!("{}: {error}", script.name),
            }
        })
        .await
    }
}

fn id() -> CampaignId {
    CampaignId::parse(ID).unwrap()
}
