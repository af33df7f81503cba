//! What an operator can do to the toy, with a place for each bug.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    Intervention, LockAdmin, LockError, LockInfo, LockName, LockProvider as _, Operation,
    OperatorMark, async_trait, pause_length,
};

use super::Bug;
use super::provider::Toy;
use super::world::Row;

impl Toy {
    fn describe(&self, name: &str, row: &Row) -> LockInfo {
        // The server's time counts from its start.
        let (now, utc) = (self.now(), self.info().clock().utc());
        let time_of_day = |instant: Duration| utc + instant - now;
        let (since, until) = (time_of_day(row.locked_at), time_of_day(row.lock_until));
        let mut info = LockInfo::new(name, &row.owner, since, until, utc);
        if self.has(Bug::ListShowsTheSecret) {
            info.node.clone_from(&row.owner);
        }
        if self.has(Bug::ReasonIsKeptRaw) {
            let raw = row.owner.split_once(": ").map(|(_, raw)| raw.to_owned());
            info.reason = info.reason.and(raw);
        }
        info.with_token(Some(row.token).filter(|token| *token > 0))
    }

    fn tell(&self, lock: &LockName, what: Intervention<'_>) {
        if !self.has(Bug::InterventionsAreSilent) {
            what.tell(&self.info, lock);
        }
    }

    fn has_prefix(&self, name: &str, prefix: &str) -> bool {
        match self.bug {
            Some(Bug::PruneIgnoresThePrefix) => true,
            Some(Bug::PruneFoldsCase) => name.to_lowercase().starts_with(&prefix.to_lowercase()),
            Some(Bug::PruneTakesWildcards) => {
                let mut chars = name.chars();
                prefix
                    .chars()
                    .all(|wanted| chars.next().is_some_and(|c| wanted == '_' || c == wanted))
            }
            _ => name.starts_with(prefix),
        }
    }

    fn mark(&self, mark: &OperatorMark, reason: &str) -> String {
        match mark.to_string().split_once(": ") {
            Some((word, _)) if self.has(Bug::ReasonIsKeptRaw) => format!("{word}: {reason}"),
            _ => mark.to_string(),
        }
    }
}

#[async_trait]
impl LockAdmin for Toy {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        self.request().await?;
        let rows = self.world.rows();
        let mut infos: Vec<_> = rows
            .iter()
            .map(|(name, row)| self.describe(name, row))
            .collect();
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        if self.has(Bug::ListIsUnsorted) {
            infos.reverse();
        }
        Ok(infos)
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = self.info.lock_name(Operation::Get, name)?;
        self.request().await?;
        let rows = self.world.rows();
        let row = rows.get(&self.key(name.as_str()));
        Ok(row.map(|row| self.describe(name.as_str(), row)))
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::ForceRelease, name)?;
        self.request().await?;
        let now = self.now();
        let mut rows = self.world.rows();
        let row = rows.get_mut(&self.key(name.as_str()));
        let Some(row) = row.filter(|row| row.lock_until > now) else {
            return Ok(false);
        };
        row.lock_until = if self.has(Bug::ForcedReleaseWaitsForAtLeast) {
            now + Duration::from_secs(1)
        } else {
            now
        };
        let mark = OperatorMark::released(reason);
        if !self.has(Bug::ForcedReleaseKeepsTheOwner) {
            row.owner = self.mark(&mark, reason);
        }
        self.tell(&name, Intervention::ForceReleased(mark.reason()));
        Ok(true)
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let name = self.info.lock_name(Operation::Pause, name)?;
        let mut left = pause_length(self.info.clock(), until)
            .map_err(|error| error.with_context(Operation::Pause, "toy", Some(&name)))?;
        self.request().await?;
        if self.has(Bug::PauseOutlastsItsEnd) {
            left += Duration::from_secs(60);
        }
        let (now, mark) = (self.now(), OperatorMark::paused(reason));
        let mut rows = self.world.rows();
        let row = rows.entry(self.key(name.as_str())).or_insert_with(|| Row {
            lock_until: now,
            locked_at: now,
            owner: String::new(),
            token: 0,
        });
        (row.lock_until, row.locked_at) = (now + left, now);
        if row.owner.is_empty() || !self.has(Bug::PauseKeepsTheHolder) {
            row.owner = self.mark(&mark, reason);
        }
        if self.has(Bug::PauseTakesAToken) {
            row.token += 1_000_000;
        }
        self.tell(
            &name,
            Intervention::Paused {
                until,
                reason: mark.reason(),
            },
        );
        Ok(())
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::Resume, name)?;
        self.request().await?;
        let now = self.now();
        let mut rows = self.world.rows();
        let paused =
            |row: &Row| OperatorMark::parse(&row.owner).is_some_and(|mark| mark.is_pause());
        match rows.get_mut(&self.key(name.as_str())) {
            Some(row)
                if row.lock_until > now && (paused(row) || self.has(Bug::ResumeFreesHeldLocks)) =>
            {
                row.lock_until = now;
                self.tell(&name, Intervention::Resumed);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.info.check_prefix(Operation::Prune, prefix)?;
        self.request().await?;
        let (now, ignores_age) = (self.now(), self.has(Bug::PruneIgnoresTheAge));
        let is_dead = |name: &str, row: &Row| {
            let free_for = now.checked_sub(row.lock_until.max(row.locked_at));
            self.has_prefix(name, prefix)
                && (free_for.is_some_and(|free_for| ignores_age || free_for >= unused_for)
                    || self.has(Bug::PruneForgetsPauses)
                        && OperatorMark::parse(&row.owner).is_some())
        };
        if self.has(Bug::PruneLooksThenDeletes) {
            let dead: Vec<_> = {
                let rows = self.world.rows();
                let dead = rows.iter().filter(|(name, row)| is_dead(name, row));
                dead.map(|(name, _)| name.clone()).collect()
            };
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.world.rows().retain(|name, _| !dead.contains(name));
            return Ok(dead.len() as u64);
        }
        let mut rows = self.world.rows();
        let before = rows.len();
        rows.retain(|name, row| !is_dead(name, row));
        Ok((before - rows.len()) as u64)
    }
}
