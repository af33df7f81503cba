//! A store that runs a script as one step, and judges by its own clock: as Redis does. The closures are the scripts.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Fencing, Lease, LockError, LockInfo, LockName,
    LockProvider, LockRecords, OperatorMark, Overrule, OwnerWrite, Ownership, Predecessor,
    ProviderInfo, Selection, Standing, async_trait,
};

use crate::servers::{Row, Scripted, Server};

#[derive(Debug, Clone)]
pub(crate) struct ScriptedProvider {
    info: ProviderInfo,
    server: Server<Scripted>,
}

impl ScriptedProvider {
    pub(crate) fn new(server: Server<Scripted>, info: ProviderInfo) -> Self {
        let capabilities = Capabilities::new()
            .with_fencing(Fencing::Always)
            .with_takeovers()
            .with_max_name_bytes(512);
        Self {
            info: info.with_capabilities(capabilities),
            server,
        }
    }

    /// Moves the end of a lease; one that has ended may be too late for that.
    async fn change(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        duration: Duration,
        must_be_live: bool,
    ) -> Result<Ownership, LockError> {
        let script = |db: &mut Scripted, now| {
            let found = db.rows.get_mut(lease.name().as_str());
            let Some(row) = found.filter(|row| !must_be_live || row.until > now) else {
                return Ownership::Lost;
            };
            match write.standing(&row.owner) {
                Standing::Foreign | Standing::Later => return Ownership::Lost,
                Standing::Same => return Ownership::Ours,
                Standing::Earlier => {}
            }
            row.until = now + duration;
            write.stored().clone_into(&mut row.owner);
            Ownership::Ours
        };
        Ok(self.server.ask(script).await)
    }
}

#[async_trait]
impl LockProvider for ScriptedProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let (write, key) = (request.write(&self.info)?, request.name().as_str());
        let script = |db: &mut Scripted, now| {
            let is_ours = |row: &Row| write.standing(&row.owner) != Standing::Foreign;
            let stays = |row: &&Row| row.until > now || is_ours(row);
            if let Some(row) = db.rows.get(key).filter(stays) {
                return Err((row.clone(), now));
            }
            // The holder of a row whose lease has ended, if nobody released the lock.
            let predecessor = db.rows.get(key).and_then(|row| {
                let holder = Predecessor::from_record(&row.owner, Some(row.since), Some(row.until));
                Some(holder?.with_fencing_token(Some(row.token).filter(|token| *token > 0)))
            });
            db.counter += 1;
            let (owner, until) = (write.stored().to_owned(), now + request.at_most());
            let row = Row::new((now, until), owner, db.counter);
            db.rows.insert(key.to_owned(), row);
            Ok(request.grant(Some(db.counter)).taken_over_from(predecessor))
        };
        match self.server.ask(script).await {
            Ok(lease) => Ok(Acquisition::Granted(lease)),
            Err((row, now)) => {
                let left = row.until.duration_since(now).unwrap_or_default();
                request.answer_from_record(&self.info, &row.owner, left, Some(row.token))
            }
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.change(lease, &lease.next_write()?, at_most, true)
            .await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.change(lease, &lease.release_write()?, keep_for, false)
            .await
    }
}

#[async_trait]
impl LockRecords for ScriptedProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let script = |db: &mut Scripted, now| {
            let found = db.rows.iter().filter(|(name, _)| selection.contains(name));
            let infos = found.map(|(name, row)| {
                let info = LockInfo::from_record(name, &row.owner, Some(row.since), row.until, now);
                info.with_fencing_token(Some(row.token).filter(|token| *token > 0))
            });
            infos.collect()
        };
        Ok(self.server.ask(script).await)
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let key = name.as_str();
        let paused = |row: &Row| OperatorMark::parse(&row.owner).is_some_and(|it| it.is_pause());
        let script = |db: &mut Scripted, now| {
            let token = db.rows.get(key).map_or(0, |row| row.token);
            let found = db.rows.get(key).filter(|row| row.until > now);
            let (until, since, owner) = match (overrule, found) {
                (Overrule::Pause { mark, until }, _) => {
                    Overrule::pause_length(*until, now)?;
                    (*until, now, mark.to_string())
                }
                (Overrule::Release { mark }, Some(row)) => (now, row.since, mark.to_string()),
                (Overrule::Resume, Some(row)) if paused(row) => (now, row.since, row.owner.clone()),
                _ => return Ok(false),
            };
            let row = Row::new((since, until), owner, token);
            db.rows.insert(key.to_owned(), row);
            Ok(true)
        };
        self.server.ask(script).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let script = |db: &mut Scripted, now: SystemTime| {
            let before = db.rows.len();
            // `None` if no lock can have been free for so long. It is less than any time.
            let latest = now.checked_sub(unused_for);
            let old = |name: &str, row: &Row| name.starts_with(prefix) && Some(row.until) <= latest;
            db.rows.retain(|name, row| !old(name, row));
            (before - db.rows.len()) as u64
        };
        Ok(self.server.ask(script).await)
    }
}
