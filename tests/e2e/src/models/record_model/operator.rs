//! What operators do: relay, prune, backups, another epoch.

use std::collections::BTreeMap;

use runtime::feed::relay;
use runtime::record::Retention;
use shared::limits::FEED_ENTRIES_MAX;

use super::expected::Backup;
use super::ops::USERS;
use super::world::World;

impl World {
    pub async fn relay(&mut self) -> Result<(), String> {
        let now_ms = self.now_ms;
        let outcome = relay::run(&self.redis, &self.record, now_ms, || true).await;
        match outcome {
            _ if self.struck() => Ok(()),
            Err(error) => Err(format!("the relay failed: {error:?}")),
            Ok(outcome) if outcome.pending > 0 => Err(format!("the relay left {outcome:?}")),
            Ok(_) => {
                (0..USERS).for_each(|at| self.expected.delivered(at));
                Ok(())
            }
        }
    }

    pub fn save(&mut self) -> Result<(), String> {
        let Some(database) = self.database.file() else { return Ok(()) };
        if !self.expected.kept.epoch.is_empty() {
            let (kept, file) = (self.expected.kept.clone(), database.save());
            self.expected.backup = Some(Backup { kept, file });
        }
        Ok(())
    }

    pub async fn restore(&mut self, rotates: bool) -> Result<(), String> {
        let Some(database) = self.database.file() else { return Ok(()) };
        let Some(Backup { kept, file }) = &self.expected.backup else { return Ok(()) };
        database.restore(file);
        let kept = kept.clone();
        // A feed does not miss what is back: only the documented step tells it.
        let is_back = kept.users.iter().zip(&self.expected.kept.users).any(|(kept, now)| {
            let is_gone = |json| now.by_json(json).is_none_or(|entry| entry.is_deleted);
            kept.undeleted().any(|(_, entry)| is_gone(&entry.json))
        });
        self.expected.tainted_epochs.insert(kept.epoch.clone());
        self.expected.replaced(kept, true);
        if rotates || is_back { self.rotate().await } else { Ok(()) }
    }

    pub async fn rotate(&mut self) -> Result<(), String> {
        let (epoch, _) = self.record.pending("", 1).await.map_err(|error| error.to_string())?;
        let rotated = self.record.rotate_epoch(&epoch).await.map_err(|error| error.to_string())?;
        if rotated == epoch {
            return Err("the epoch was not rotated".to_owned());
        }
        self.expected.kept.epoch = rotated;
        self.expected.doubts.iter_mut().for_each(|doubt| doubt.is_tainted = false);
        Ok(())
    }

    pub async fn prune(&mut self) -> Result<(), String> {
        // Whatever is older than this moment has lost its key.
        let now_ms = self.now_ms;
        let retention = Retention { now_ms, keep_since_ms: 0, keys_since_ms: now_ms + 1 };
        while self
            .record
            .prune(retention, FEED_ENTRIES_MAX)
            .await
            .map_err(|error| error.to_string())?
            > 0
        {}
        let kept = &mut self.expected.kept;
        kept.keys = BTreeMap::new();
        for (kept, doubt) in kept.users.iter_mut().zip(&mut self.expected.doubts) {
            kept.entries.retain(|_, entry| {
                let is_over = entry.expires_at_ms.is_some_and(|at| at <= now_ms);
                if is_over {
                    doubt.pruned.insert(entry.json.clone());
                }
                !is_over && !entry.is_deleted
            });
        }
        Ok(())
    }
}
