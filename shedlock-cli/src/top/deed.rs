//! What an operator does to a lock.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockAdmin, LockError, printable, short_duration};

/// What an operator has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Pause {
        lock: String,
        length: Duration,
        reason: String,
    },
    Resume {
        lock: String,
    },
    Release {
        lock: String,
        reason: String,
    },
}

impl Deed {
    /// What is shown until the store has answered.
    pub(super) fn doing(&self) -> String {
        match self {
            Self::Pause { lock, .. } => format!("pausing {} ..", printable(lock)),
            Self::Resume { lock } => format!("resuming {} ..", printable(lock)),
            Self::Release { lock, .. } => format!("releasing {} ..", printable(lock)),
        }
    }

    /// Does it, and says what became of it; both texts are one line to be shown.
    pub(super) async fn done(&self, store: &dyn LockAdmin) -> Result<String, String> {
        let said = self.carry_out(store).await;
        said.map_err(|error| printable(&error.to_string()).into_owned())
    }

    async fn carry_out(&self, store: &dyn LockAdmin) -> Result<String, LockError> {
        Ok(match self {
            Self::Pause {
                lock,
                length,
                reason,
            } => {
                let until = SystemTime::now().checked_add(*length);
                // What no clock can show is refused by the store's provider, with the reason.
                let until = until.unwrap_or(SystemTime::UNIX_EPOCH);
                store.pause(lock, until, reason).await?;
                let (lock, length) = (printable(lock), short_duration(*length));
                format!(
                    "{lock} is paused for {length}; a run in progress goes on until its holder notices"
                )
            }
            Self::Resume { lock } => {
                let was_paused = store.resume(lock).await?;
                let told = if was_paused { "resumed" } else { "not paused" };
                format!("{} is {told}", printable(lock))
            }
            Self::Release { lock, reason } => {
                let was_taken = store.force_release(lock, reason).await?;
                let told = if was_taken {
                    "is released; what its holder runs goes on until the holder notices"
                } else {
                    "was free"
                };
                format!("{} {told}", printable(lock))
            }
        })
    }
}
