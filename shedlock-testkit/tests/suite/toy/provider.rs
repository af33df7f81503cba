//! The toy's client, with a place for each bug.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Fencing, Lease, LockError, LockProvider,
    LockRecords as _, Owner, OwnerWrite, Ownership, Position, Predecessor, ProviderInfo, Refusal,
    RunHistory, SkipReason, Standing, async_trait,
};

use super::Bug;
use super::world::{Row, World};

/// The token of a lock that was taken, or why it was not.
type Taken = Result<(u64, Option<Predecessor>), Result<Refusal, LockError>>;

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) struct Toy {
    pub(super) info: ProviderInfo,
    pub(super) world: Arc<World>,
    pub(super) bug: Option<Bug>,
    /// How wrong this node's clock is: what to add, and then what to take away.
    skew: (Duration, Duration),
    connection: AtomicU64,
    known: Mutex<HashSet<String>>,
    last_owner: Mutex<String>,
}

impl fmt::Debug for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Toy({})", self.info.node_name())?;
        if self.has(Bug::PrintsTheSecret) {
            write!(f, " {}", self.last_owner.lock().unwrap())?;
        }
        Ok(())
    }
}

impl Toy {
    pub(super) fn new(name: &str, world: Arc<World>, bug: Option<Bug>) -> Self {
        Self {
            info: ProviderInfo::new("toy")
                .with_node_name(name)
                .with_capabilities(
                    Capabilities::new()
                        .with_fencing(Fencing::Always)
                        .with_positions()
                        .with_takeovers()
                        .with_max_name_chars(64),
                ),
            connection: AtomicU64::new(world.connections.load(Ordering::SeqCst)),
            world,
            bug,
            skew: Default::default(),
            known: Mutex::default(),
            last_owner: Mutex::default(),
        }
    }

    pub(super) fn with_wrong_clock(mut self, ahead: bool) -> Self {
        self.skew = if ahead {
            (HOUR, Duration::ZERO)
        } else {
            (Duration::ZERO, HOUR)
        };
        self
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn now(&self) -> Duration {
        let now = self.world.now();
        if self.has(Bug::ClientClock) {
            (now + self.skew.0).saturating_sub(self.skew.1)
        } else {
            now
        }
    }

    fn end(&self, now: Duration, at_most: Duration) -> Duration {
        let end = now + at_most;
        if self.has(Bug::RoundsDown) {
            end.saturating_sub(Duration::from_nanos(u64::from(
                end.subsec_nanos() % 100_000_000,
            )))
        } else {
            end
        }
    }

    pub(super) fn key(&self, name: &str) -> String {
        match self.bug {
            Some(Bug::FoldsCase) => name.to_lowercase(),
            Some(Bug::TrimsNames) => name.trim_end().to_owned(),
            Some(Bug::CutsNames) => name.chars().take(40).collect(),
            _ => name.to_owned(),
        }
    }

    fn standing(&self, stored: &str, write: &OwnerWrite) -> Standing {
        if self.has(Bug::LooksOnlyAtTheHost)
            && Owner::node_of(stored) == Owner::node_of(write.first())
        {
            return Standing::Earlier;
        }
        match write.standing(stored) {
            // Each of these lets what comes late change what was done since.
            Standing::Later if self.has(Bug::LateWritesCount) => Standing::Earlier,
            Standing::Same if self.has(Bug::RepeatedWritesCount) => Standing::Earlier,
            standing => standing,
        }
    }

    pub(super) async fn request(&self) -> Result<(), LockError> {
        let good = self.world.connections.load(Ordering::SeqCst);
        let mine = self.connection.load(Ordering::SeqCst);
        if good != mine {
            if self.has(Bug::NeverReconnects) {
                return Err(LockError::new(
                    shedlock_runtime::ErrorKind::Unavailable,
                    "the connection is closed",
                ));
            }
            self.connection.store(good, Ordering::SeqCst);
        }
        self.world.request().await
    }

    /// The position of a lock that is free.
    fn position(
        &self,
        request: &AcquireRequest,
        row: Option<&Row>,
    ) -> Result<Option<Position>, Result<Refusal, LockError>> {
        let stored = row.and_then(|row| row.position);
        let Some(rule) = request.position_rule() else {
            return Ok(stored);
        };
        // The server's time counts from its start.
        let now = self.info.clock().utc();
        match rule.next(stored, now) {
            Ok(mut position) => {
                if self.has(Bug::AttemptsAreNotCounted) {
                    position.tries = 1;
                }
                Ok(Some(position))
            }
            Err(_) if self.has(Bug::PositionIsIgnored) => Ok(stored),
            Err(reason) => {
                let owner = row.map(|row| row.owner.as_str());
                let refusal = Refusal::of_position(reason, owner.unwrap_or_default());
                Err(Ok(refusal.with_position(stored)))
            }
        }
    }

    /// Writes a row if the lock is free: the right way is one step, under one mutex.
    fn take(&self, request: &AcquireRequest, write: &OwnerWrite, look: bool) -> Taken {
        let key = &self.key(request.name().as_str());
        let now = self.now();
        let mut rows = self.world.rows();
        let found = rows.get_mut(key);
        if look && let Some(row) = found {
            let held = row.lock_until > now || self.has(Bug::ExpiryIgnored);
            let is_ours = self.standing(&row.owner, write) != Standing::Foreign;
            if is_ours && !held && !self.has(Bug::LateAttemptsTakeTheLock) {
                return Err(Err(request.too_late()));
            }
            if held && is_ours && !self.has(Bug::RepeatedAttemptIsRefused) {
                if self.has(Bug::RepeatedAttemptCounts)
                    && let Some(position) = &mut row.position
                {
                    position.tries += 1;
                }
                if self.has(Bug::RepeatedAttemptMovesTheEnd) {
                    row.lock_until = self.end(now, request.at_most());
                }
                return Ok((row.token, None));
            }
            if held && !self.has(Bug::AcquiresHeldLocks) {
                if self.has(Bug::RefusalWrites) {
                    row.locked_at = now;
                }
                let remaining = row.lock_until.saturating_sub(now);
                let refusal = Refusal::from_stored(&row.owner, remaining);
                if refusal.reason == SkipReason::Paused && self.has(Bug::AttemptsEndPauses) {
                    row.lock_until = now;
                }
                if self.has(Bug::PauseLooksHeld) {
                    return Err(Ok(Refusal::held().with_holder(&row.owner, remaining)));
                }
                return Err(Ok(refusal));
            }
        } else if look
            && self.has(Bug::CachesThatTheRowExists)
            && !self.known.lock().unwrap().insert(key.clone())
        {
            return Err(Ok(Refusal::held()));
        }
        let position = self.position(request, rows.get(key))?;
        let token = match self.bug {
            Some(Bug::TokenStandsStill) => 1,
            Some(Bug::TokenDiesWithTheRow) => rows.get(key).map_or(0, |row| row.token) + 1,
            _ => self.world.last_token.fetch_add(1, Ordering::SeqCst) + 1,
        };
        self.known.lock().unwrap().insert(key.clone());
        let predecessor = rows.get(key).and_then(|row| self.predecessor(row));
        let row = Row {
            lock_until: self.end(now, request.at_most()),
            locked_at: now,
            owner: write.stored().to_owned(),
            token,
            position,
        };
        rows.insert(key.clone(), row);
        Ok((token, predecessor))
    }

    /// The holder of a row whose lease has ended, if nobody released the lock.
    fn predecessor(&self, row: &Row) -> Option<Predecessor> {
        if self.has(Bug::TakeoversAreNotTold) {
            return None;
        }
        let (since, until) = if self.has(Bug::TakeoverHasTheWrongTimes) {
            (row.lock_until, row.locked_at)
        } else {
            (row.locked_at, row.lock_until)
        };
        let (since, until) = (self.world.time_of_day(since), self.world.time_of_day(until));
        let holder = Predecessor::from_record(&row.owner, Some(since), Some(until))?;
        let holder = holder.with_fencing_token(Some(row.token));
        Some(holder.with_position(row.position))
    }
}

#[async_trait]
impl LockProvider for Toy {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(&self.info)?;
        if self.has(Bug::PrintsTheSecret) {
            write
                .stored()
                .clone_into(&mut self.last_owner.lock().unwrap());
        }
        match self.request().await {
            Err(_) if self.has(Bug::ErrorMeansHeld) => {
                return Ok(Acquisition::Refused(Refusal::held()));
            }
            Err(_) if self.has(Bug::ErrorMeansFree) => {
                return Ok(Acquisition::Granted(request.grant(Some(1))));
            }
            answer => answer?,
        }
        let key = self.key(request.name().as_str());
        let mut look = true;
        if self.has(Bug::ChecksThenActs) {
            let now = self.now();
            if self
                .world
                .rows()
                .get(&key)
                .is_none_or(|row| row.lock_until <= now)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
                look = false;
            }
        }
        let taken = self.take(request, &write, look);
        self.world.reply().await;
        match taken {
            Ok((number, predecessor)) => {
                let stored = self.world.rows().get(&key).and_then(|row| row.position);
                let begun = request.position_rule().and(stored);
                let lease = request.grant(Some(number)).taken_over_from(predecessor);
                Ok(Acquisition::Granted(lease.at_position(begun)))
            }
            Err(Ok(refusal)) => Ok(Acquisition::Refused(refusal)),
            Err(Err(too_late)) => Err(too_late),
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.request().await?;
        let write = lease.next_write()?;
        let now = self.now();
        let answer = match self.world.rows().entry(self.key(lease.name().as_str())) {
            std::collections::hash_map::Entry::Vacant(vacant)
                if self.has(Bug::ExtensionMakesTheRow) =>
            {
                vacant.insert(Row {
                    lock_until: self.end(now, at_most),
                    locked_at: now,
                    owner: write.stored().to_owned(),
                    token: 0,
                    position: None,
                });
                Ownership::Ours
            }
            std::collections::hash_map::Entry::Vacant(_) => Ownership::Lost,
            std::collections::hash_map::Entry::Occupied(mut row) => {
                let row = row.get_mut();
                let standing = self.standing(&row.owner, &write);
                let is_own = matches!(standing, Standing::Earlier | Standing::Same)
                    || self.has(Bug::ExtensionWithoutOwner);
                let is_live = row.lock_until > now || self.has(Bug::ExtendsAfterExpiry);
                match (is_own && is_live, self.bug) {
                    (true, Some(Bug::ExtensionIgnored)) | (false, Some(Bug::LossIsNotSaid)) => {
                        Ownership::Ours
                    }
                    (true, Some(Bug::ExtendsFromTheOldEnd)) => {
                        row.lock_until += at_most;
                        Ownership::Ours
                    }
                    (true, _) if standing == Standing::Same => Ownership::Ours,
                    (true, _) => {
                        row.lock_until = self.end(now, at_most);
                        write.stored().clone_into(&mut row.owner);
                        Ownership::Ours
                    }
                    (false, _) => Ownership::Lost,
                }
            }
        };
        self.world.reply().await;
        Ok(answer)
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.request().await?;
        let write = if self.has(Bug::ReleaseIsNotMarked) {
            lease.next_write()?
        } else {
            lease.release_write()?
        };
        let answer = self.give_back(lease, &write, keep_for);
        self.world.reply().await;
        Ok(answer)
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.forget(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        Some(self)
    }
}

impl Toy {
    fn give_back(&self, lease: &Lease, write: &OwnerWrite, keep_for: Duration) -> Ownership {
        let now = self.now();
        let mut rows = self.world.rows();
        let found = rows.get_mut(&self.key(lease.name().as_str()));
        let standing = match &found {
            Some(_) if self.has(Bug::ReleaseWithoutOwner) => Standing::Earlier,
            Some(row) => self.standing(&row.owner, write),
            None => Standing::Foreign,
        };
        match found {
            Some(_) if standing == Standing::Same => Ownership::Ours,
            Some(row) if standing == Standing::Earlier => {
                row.lock_until = match self.bug {
                    Some(Bug::AtLeastIgnored) => now,
                    Some(Bug::AtLeastFromTheRelease) => now + lease.at_least(),
                    Some(Bug::ReleaseIgnored) => row.lock_until,
                    _ => self.end(now, keep_for),
                };
                let is_released = row.owner != write.first();
                write.stored().clone_into(&mut row.owner);
                if let Some(position) = &mut row.position {
                    let before = *position;
                    let is_released = is_released && !self.has(Bug::UnusedGrantIsGivenBackTwice);
                    lease.settle(position, is_released);
                    match self.bug {
                        Some(Bug::PositionIsNeverDone) => position.is_done = before.is_done,
                        Some(Bug::UnusedGrantCounts) => position.tries = before.tries,
                        _ => {}
                    }
                }
                Ownership::Ours
            }
            _ if self.has(Bug::LossIsNotSaid) => Ownership::Ours,
            _ => Ownership::Lost,
        }
    }
}
