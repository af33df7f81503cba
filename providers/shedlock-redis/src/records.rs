//! Reading and changing the locks in Redis as an operator.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use shedlock_runtime::{
    LockError, LockInfo, LockName, LockRecords, LockValue, OperatorMark, Overrule, Owner, Selection,
};

use crate::error;
use crate::keys;
use crate::position;
use crate::provider::{PART, RedisLockProvider};
use crate::script::{FORGET, OVERRULE, READ, Run};
use crate::servers;

/// How many keys one `SCAN` inspects, and how many locks are read at a time.
const BATCH: usize = 1000;
const AT_A_TIME: usize = 100;
const PASSED: u8 = 2;
const FOREIGN: u8 = 3;

/// The answer of `read.lua`; see the comment in that file.
type Read = (Vec<u8>, i64, u64, String, u64, u64, Vec<u64>);

impl RedisLockProvider {
    /// The keys that match `pattern`.
    async fn keys(&self, pattern: &str) -> Result<BTreeSet<String>, LockError> {
        let mut keys = BTreeSet::new();
        for server in self.servers.primaries(PART).await? {
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern);
                scan.arg("COUNT").arg(BATCH);
                let (next, found): (u64, Vec<Vec<u8>>) =
                    servers::command(&server, &scan, PART).await?;
                // A name is always UTF-8. A key that is not UTF-8 belongs to another program and is left out.
                let found = found
                    .into_iter()
                    .filter_map(|key| String::from_utf8(key).ok());
                keys.extend(found);
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(keys)
    }

    /// What the value of the lock begins with as long as the same holder has the lock: since when, and by whom. `None` if the lock is
    /// free, and empty if the value is no lock's.
    async fn hold(&self, name: &LockName) -> Result<Option<String>, LockError> {
        let run = self.run(&READ, name, Vec::new());
        let (found, ttl, ..) = self.servers.ask::<Read>(&run, PART).await?.answer;
        if ttl == -2 {
            return Ok(None);
        }
        let hold = LockValue::parse(&found).and_then(|stored| {
            let owner = Owner::acquisition_of(stored.owner).unwrap_or(stored.owner);
            let length = found.len() - stored.owner.len() + owner.len();
            Some(str::from_utf8(found.get(..length)?).ok()?.to_owned())
        });
        Ok(Some(hold.unwrap_or_default()))
    }

    /// The record under the key of a lock; `None` if the key does not exist, or no longer exists.
    async fn record(&self, lock_key: String) -> Result<Option<LockInfo>, LockError> {
        let run = Run::new(&READ, lock_key, Vec::new());
        let (found, ttl, token, problem, seconds, micros, last) =
            self.servers.ask::<Read>(&run, PART).await?.answer;
        let name = self.keys.name(&run.lock_key).unwrap_or_default();
        if !problem.is_empty() {
            return Ok(Some(LockInfo::unreadable(name, problem)));
        }
        if ttl == -2 {
            return Ok(None);
        }
        let Some(stored) = LockValue::parse(&found) else {
            return Ok(Some(LockInfo::unreadable(
                name,
                "the key holds what is no lock's value",
            )));
        };
        let token = Some(token).filter(|token| *token > 0);
        let Ok(ttl) = u64::try_from(ttl) else {
            let forever = self.info.capabilities().longest_lease();
            let info = LockInfo::from_remaining(name, stored.owner, forever)
                .with_problem("the key has no time to live");
            let info = info.with_fencing_token(token);
            return Ok(Some(info.with_position(position::stored(&last))));
        };
        let now = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
        let until = now + Duration::from_millis(ttl.max(1));
        let info = LockInfo::from_record(name, stored.owner, stored.since, until, now);
        let info = info.with_fencing_token(token);
        Ok(Some(info.with_position(position::stored(&last))))
    }
}

#[async_trait]
impl LockRecords for RedisLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let keys: Vec<String> = match selection {
            Selection::Name(name) => vec![self.keys.lock(name.as_str())],
            Selection::Prefix(prefix) => {
                let keys = self.keys(&self.keys.pattern(prefix)).await?;
                keys.into_iter().collect()
            }
        };
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_A_TIME) {
            let read = keys.iter().map(|key| self.record(key.clone()));
            records.extend(try_join_all(read).await?.into_iter().flatten());
        }
        Ok(records)
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let (mut value, mut end) = (String::new(), UNIX_EPOCH);
        let marked =
            |mark: &OperatorMark| LockValue::format(self.info.clock().utc(), &mark.to_string());
        let what = match overrule {
            Overrule::Pause { mark, until } => {
                value = marked(mark);
                end = *until;
                "pause"
            }
            Overrule::Release { mark } => {
                value = marked(mark);
                "release"
            }
            Overrule::Resume => "resume",
            _ => return Err(error::unknown(overrule)),
        };
        let mut meant = String::new();
        if !matches!(overrule, Overrule::Pause { .. }) {
            match self.hold(name).await? {
                Some(hold) => meant = hold,
                None => return Ok(false),
            }
        }
        let arguments = vec![what.to_owned(), value, millis(end), meant];
        let run = self.run(&OVERRULE, name, arguments);
        let (state, now): (u8, u64) = self.servers.ask(&run, PART).await?.answer;
        match state {
            PASSED => {
                let now = UNIX_EPOCH + Duration::from_millis(now);
                Overrule::pause_length(end, now.max(end)).map(|_never| false)
            }
            FOREIGN => Err(error::foreign(&run.lock_key)),
            state => Ok(state == 1),
        }
    }

    /// A free lock has no record, and the server deletes most fences by itself. What stays is the fence of a chain of steps.
    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let unused_for = self.info.capabilities().steps(unused_for).to_string();
        let fences = self.keys(&self.keys.fence_pattern(prefix)).await?;
        let beginning = self.keys.lock(prefix);
        let lock_keys = fences.iter().filter_map(|fence| keys::lock_of(fence));
        let lock_keys: Vec<_> = lock_keys
            .filter(|lock_key| lock_key.starts_with(&beginning))
            .collect();
        let mut forgotten = 0;
        for lock_keys in lock_keys.chunks(AT_A_TIME) {
            let asked = lock_keys.iter().map(async |lock_key| {
                let run = Run::new(&FORGET, (*lock_key).to_owned(), vec![unused_for.clone()]);
                self.servers.ask::<u64>(&run, PART).await
            });
            let answers = try_join_all(asked).await?;
            forgotten += answers.iter().map(|reply| reply.answer).sum::<u64>();
        }
        Ok(forgotten)
    }
}

/// The milliseconds since 1970 (UTC), rounded up.
fn millis(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().div_ceil(1_000_000).to_string()
}
