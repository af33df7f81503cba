//! Reading and changing the locks in Memcached as an operator.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use shedlock_runtime::{
    LockError, LockInfo, LockName, LockRecords, LockValue, OperatorMark, Overrule, Owner, Selection,
};
use tokio::time::sleep;

use crate::change::TRIES;
use crate::error;
use crate::held::Held;
use crate::link::{Failure, Link, Written};
use crate::provider::{MemcachedLockProvider, PART};
use crate::server::Exchange;
use crate::ttl;

/// How long a call waits for a connection that was idle, while the server lists its keys: a large cache has many.
const LIST_PART: Duration = Duration::from_secs(60);
/// The server lists its keys for one client at a time. It is asked so often for a list, after a wait each time.
const MOST_ASKED: usize = 100;
const ASKED_EVERY: Duration = Duration::from_millis(50);
/// How many locks are read in one round trip.
const AT_A_TIME: usize = 100;

/// Lists the names of the locks.
struct List<'a> {
    provider: &'a MemcachedLockProvider,
    prefix: &'a str,
}

impl Exchange for List<'_> {
    /// `None` if the server is busy.
    type Answer = Option<Vec<String>>;

    async fn run(&self, link: &mut Link) -> Result<Self::Answer, Failure> {
        let wants = |key: &[u8]| {
            let name = self.provider.keys.name(key);
            name.filter(|name| name.starts_with(self.prefix))
        };
        link.keys(wants).await
    }
}

/// Reads the records of locks.
struct Read {
    keys: Vec<Vec<u8>>,
}

/// What is under the key of a lock.
enum Record {
    Lock(Held),
    Foreign,
}

impl Exchange for Read {
    type Answer = Vec<Option<Record>>;

    async fn run(&self, link: &mut Link) -> Result<Self::Answer, Failure> {
        let items = link.get_all(&self.keys).await?.into_iter();
        let read = |item| Held::read(&item, link).map_or(Record::Foreign, Record::Lock);
        Ok(items.map(|item| item.map(read)).collect())
    }
}

/// What an operator wants done to a lock.
enum Verb {
    Free,
    FreeIfPaused,
    Pause { value: String, seconds: u64 },
}

/// Changes a record, whoever holds the lock.
struct Force {
    key: Vec<u8>,
    verb: Verb,
    /// The hold that was found first: since when, and by whom. The exchange may run a second time, after the first run has ended it.
    meant: OnceLock<(Option<SystemTime>, String)>,
}

impl Force {
    fn new(key: Vec<u8>, verb: Verb) -> Self {
        let meant = OnceLock::new();
        Self { key, verb, meant }
    }

    /// Whether `held` is of another hold than the one that was found first. That one has ended.
    fn is_another(&self, held: &Held) -> bool {
        let owner = Owner::acquisition_of(&held.owner).unwrap_or(&held.owner);
        let found = (held.since, owner.to_owned());
        *self.meant.get_or_init(|| found.clone()) != found
    }
}

/// What became of a [`Force`].
enum Forced {
    Done,
    Absent,
    /// The lock is taken, and not paused.
    NotPaused,
}

impl Exchange for Force {
    type Answer = Forced;

    async fn run(&self, link: &mut Link) -> Result<Forced, Failure> {
        for _ in 0..TRIES {
            let held = match link.get(&self.key).await? {
                Some(item) => {
                    let held = Held::read(&item, link);
                    Some(held.ok_or_else(|| error::foreign(&self.key))?)
                }
                None => None,
            };
            let written = match (&self.verb, held) {
                (Verb::Pause { value, seconds }, None) => {
                    link.add(&self.key, value.as_bytes(), *seconds).await?.0
                }
                (Verb::Pause { value, seconds }, Some(held)) => {
                    let value = value.as_bytes();
                    let replaced = link.replace(&self.key, value, *seconds, held.cas);
                    replaced.await?.0
                }
                // What was found first has ended.
                (_, None) if self.meant.get().is_some() => return Ok(Forced::Done),
                (_, None) => return Ok(Forced::Absent),
                (Verb::Free | Verb::FreeIfPaused, Some(held)) if self.is_another(&held) => {
                    return Ok(Forced::Done);
                }
                (Verb::FreeIfPaused, Some(held)) if !is_paused(&held) => {
                    return Ok(Forced::NotPaused);
                }
                (Verb::Free | Verb::FreeIfPaused, Some(held)) => {
                    link.delete(&self.key, held.cas).await?
                }
            };
            if written == Written::Done {
                return Ok(Forced::Done);
            }
        }
        Err(error::restless(&self.key).into())
    }
}

fn is_paused(held: &Held) -> bool {
    OperatorMark::parse(&held.owner).is_some_and(|mark| mark.is_pause())
}

impl MemcachedLockProvider {
    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let provider = self;
        for _ in 0..MOST_ASKED {
            let list = List { provider, prefix };
            if let Some(names) = self.server.ask(&list, LIST_PART).await?.answer {
                return Ok(names);
            }
            sleep(ASKED_EVERY).await;
        }
        Err(error::busy())
    }

    fn lock_info(&self, name: &str, record: Record) -> LockInfo {
        let Record::Lock(held) = record else {
            return LockInfo::unreadable(name, "the key holds what is no lock's value");
        };
        let forever = self.info.capabilities().longest_lease();
        let left = held.left.unwrap_or(forever);
        let mut info = LockInfo::from_remaining(name, &held.owner, left);
        info.since = held.since;
        match held.left {
            Some(_) => info,
            None => info.with_problem("the key has no time to live"),
        }
    }
}

#[async_trait]
impl LockRecords for MemcachedLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let names = match selection {
            Selection::Name(name) => vec![name.as_str().to_owned()],
            Selection::Prefix(prefix) => self.names(prefix).await?,
        };
        let mut records = Vec::with_capacity(names.len());
        for names in names.chunks(AT_A_TIME) {
            let keys = names.iter().map(|name| self.keys.key(name)).collect();
            let read = self.server.ask(&Read { keys }, PART).await?.answer;
            let found = names.iter().zip(read);
            records.extend(found.filter_map(|(name, record)| Some(self.lock_info(name, record?))));
        }
        Ok(records)
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let verb = match overrule {
            Overrule::Release { .. } => Verb::Free,
            Overrule::Resume => Verb::FreeIfPaused,
            Overrule::Pause { mark, until } => {
                let now = self.info.clock().utc();
                Verb::Pause {
                    value: LockValue::format(now, &mark.to_string()),
                    seconds: ttl::seconds(Overrule::pause_length(*until, now)?),
                }
            }
            _ => return Err(error::unknown(overrule)),
        };
        let key = self.keys.key(name.as_str());
        let reply = self.server.ask(&Force::new(key, verb), PART).await?;
        Ok(match reply.answer {
            Forced::Done => true,
            // The first of two requests has freed it, as far as anybody can tell.
            Forced::Absent => reply.is_in_doubt,
            Forced::NotPaused => false,
        })
    }

    /// The server deletes records by itself.
    async fn forget(&self, _prefix: &str, _unused_for: Duration) -> Result<u64, LockError> {
        Ok(0)
    }
}
