//! What an operator can do to the toy, with a place for each bug.

use std::time::Duration;

use shedlock_runtime::{
    LockError, LockInfo, LockName, LockProvider as _, LockRecords, OperatorMark, Overrule,
    Selection, async_trait,
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
        let mut info = LockInfo::from_record(name, &row.owner, Some(since), until, utc);
        if self.has(Bug::ListShowsTheSecret) {
            info.node.clone_from(&row.owner);
        }
        info.with_fencing_token(Some(row.token).filter(|token| *token > 0))
            .with_position(row.position)
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

    fn mark(&self, mark: &OperatorMark) -> String {
        let cut = if self.has(Bug::ReasonIsCut) {
            30
        } else {
            usize::MAX
        };
        mark.to_string().chars().take(cut).collect()
    }

    fn force(&self, key: &str, mark: &OperatorMark) -> bool {
        let now = self.now();
        let mut rows = self.world.rows();
        let Some(row) = rows.get_mut(key).filter(|row| row.lock_until > now) else {
            return false;
        };
        row.lock_until = if self.has(Bug::ForcedReleaseWaitsForAtLeast) {
            now + Duration::from_secs(1)
        } else {
            now
        };
        if !self.has(Bug::ForcedReleaseKeepsTheOwner) {
            row.owner = self.mark(mark);
        }
        true
    }

    fn pause(&self, key: String, mark: &OperatorMark, mut length: Duration) {
        if self.has(Bug::PauseOutlastsItsEnd) {
            length += Duration::from_secs(60);
        }
        let now = self.now();
        let mut rows = self.world.rows();
        let row = rows.entry(key).or_insert_with(|| Row {
            lock_until: now,
            locked_at: now,
            owner: String::new(),
            token: 0,
            position: None,
        });
        (row.lock_until, row.locked_at) = (now + length, now);
        if row.owner.is_empty() || !self.has(Bug::PauseKeepsTheHolder) {
            row.owner = self.mark(mark);
        }
        if self.has(Bug::PauseForgetsThePosition) {
            row.position = None;
        }
        if self.has(Bug::PauseTakesAToken) {
            row.token += 1_000_000;
        }
    }

    fn resume(&self, key: &str) -> bool {
        let now = self.now();
        let mut rows = self.world.rows();
        let paused =
            |row: &Row| OperatorMark::parse(&row.owner).is_some_and(|mark| mark.is_pause());
        match rows.get_mut(key) {
            Some(row)
                if row.lock_until > now && (paused(row) || self.has(Bug::ResumeFreesHeldLocks)) =>
            {
                row.lock_until = now;
                true
            }
            _ => false,
        }
    }
}

#[async_trait]
impl LockRecords for Toy {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        self.request().await?;
        let rows = self.world.rows();
        if let Selection::Name(name) = selection {
            let row = rows.get(&self.key(name.as_str()));
            return Ok(Vec::from_iter(
                row.map(|row| self.describe(name.as_str(), row)),
            ));
        }
        let found = rows.iter().filter(|(name, _)| selection.contains(name));
        Ok(found.map(|(name, row)| self.describe(name, row)).collect())
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        self.request().await?;
        let key = self.key(name.as_str());
        Ok(match overrule {
            Overrule::Release { mark } => self.force(&key, mark),
            Overrule::Resume => self.resume(&key),
            Overrule::Pause { mark, until } => {
                let length = Overrule::pause_length(*until, self.info.clock().utc())?;
                self.pause(key, mark, length);
                true
            }
            _ => false,
        })
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
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
