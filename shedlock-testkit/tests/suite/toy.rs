//! A store with a clock, a table and connections, in memory; right, or wrong in one way.

mod history;
mod provider;
mod records;
mod world;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, StoreFault, Stored};

use self::provider::Toy;
use self::world::{Mode, Row, World};

/// What a provider can get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    AcquiresHeldLocks,
    AtLeastFromTheRelease,
    AtLeastIgnored,
    AttemptsAreNotCounted,
    AttemptsEndPauses,
    CachesThatTheRowExists,
    ChecksThenActs,
    ClientClock,
    CutsNames,
    ErrorMeansFree,
    ErrorMeansHeld,
    ExpiryIgnored,
    ExtendsAfterExpiry,
    ExtendsFromTheOldEnd,
    ExtensionIgnored,
    ExtensionMakesTheRow,
    ExtensionWithoutOwner,
    FoldsCase,
    HistoryForgetsErrors,
    HistoryForgetsOldEntriesAtOnce,
    HistoryIgnoresTheRange,
    HistoryKnowsTwoOutcomes,
    HistoryMixesLocks,
    HistoryOverwrites,
    ForcedReleaseKeepsTheOwner,
    ForcedReleaseWaitsForAtLeast,
    LateAttemptsTakeTheLock,
    LateWritesCount,
    ListShowsTheSecret,
    LooksOnlyAtTheHost,
    LossIsNotSaid,
    NeverReconnects,
    PauseForgetsThePosition,
    PauseKeepsTheHolder,
    PauseLooksHeld,
    PauseOutlastsItsEnd,
    PauseTakesAToken,
    PositionIsIgnored,
    PositionIsNeverDone,
    PrintsTheSecret,
    PruneFoldsCase,
    PruneForgetsPauses,
    PruneIgnoresTheAge,
    PruneIgnoresThePrefix,
    PruneLooksThenDeletes,
    PruneTakesWildcards,
    ReasonIsCut,
    RefusalWrites,
    ReleaseIgnored,
    ReleaseIsNotMarked,
    ReleaseWithoutOwner,
    RepeatedAttemptCounts,
    RepeatedAttemptIsRefused,
    RepeatedAttemptMovesTheEnd,
    RepeatedWritesCount,
    ResumeFreesHeldLocks,
    RoundsDown,
    TakeoverHasTheWrongTimes,
    TakeoversAreNotTold,
    TokenDiesWithTheRow,
    TokenStandsStill,
    TrimsNames,
    UnusedGrantCounts,
    UnusedGrantIsGivenBackTwice,
}

/// One toy store and what is wrong with its providers.
#[derive(Debug)]
pub(crate) struct ToyHarness {
    world: Arc<World>,
    bug: Option<Bug>,
}

impl ToyHarness {
    pub(crate) fn right() -> Self {
        Self {
            world: Arc::default(),
            bug: None,
        }
    }

    pub(crate) fn wrong(bug: Bug) -> Self {
        Self {
            world: Arc::default(),
            bug: Some(bug),
        }
    }

    fn toy(&self, name: &str) -> Toy {
        Toy::new(name, Arc::clone(&self.world), self.bug)
    }
}

#[async_trait]
impl Harness for ToyHarness {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.toy(name))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.toy(name)))
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        Some(Arc::new(self.toy(name).with_wrong_clock(ahead)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.world.rows().get(lock) {
            None => Peek::Absent,
            Some(row) => Peek::Found(Stored {
                owner: Some(row.owner.clone()),
                record: format!("{row:?}"),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.world.rows().remove(lock);
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let row = Row {
            lock_until: Duration::ZERO,
            locked_at: Duration::ZERO,
            owner: "a-java-host".to_owned(),
            token: 0,
            position: None,
        };
        self.world.rows().insert(lock.to_owned(), row);
        true
    }

    async fn remove_schema(&self) -> bool {
        self.world.set_schema(false);
        true
    }

    async fn restore_schema(&self) {
        self.world.set_schema(true);
    }

    async fn inject(&self, fault: StoreFault) -> bool {
        match fault {
            StoreFault::Stall => self.world.set_mode(Mode::Stalled),
            StoreFault::LoseReplies => self.world.set_mode(Mode::Mute),
            StoreFault::Unreachable => self.world.set_mode(Mode::Away),
            StoreFault::EndConnections | StoreFault::Restart => self.world.end_connections(),
            _ => return false,
        }
        true
    }

    async fn end_faults(&self) {
        self.world.set_mode(Mode::Normal);
    }

    async fn broken(&self) -> Vec<Broken> {
        let without_table = Self {
            world: Arc::default(),
            bug: self.bug,
        };
        without_table.world.set_schema(false);
        let away = Self {
            world: Arc::default(),
            bug: self.bug,
        };
        away.world.set_mode(Mode::Away);
        vec![
            Broken::new(
                "no table",
                without_table.node("one").await,
                ErrorKind::Schema,
            )
            .mentioning("CREATE TABLE"),
            Broken::new("away", away.node("one").await, ErrorKind::Unavailable).hiding("s3cret"),
        ]
    }
}

shedlock_testkit::conformance!(toy, ready(ToyHarness::right()));
