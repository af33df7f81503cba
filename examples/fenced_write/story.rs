//! The story that a lock alone cannot prevent: a holder that stands still, and goes on when it has lost the lock.

use std::time::Duration;

use anyhow::Context as _;
use shedlock::{Lock, LockConfiguration, LockProviderExt as _};
use shedlock_sqlx::SqliteLockProvider;
use tokio::time::{sleep, timeout};

use crate::bank::Bank;

/// Who writes how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Fenced,
    Unfenced,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Whether the holder that had lost its lock could write.
    pub(crate) stale_write_taken: bool,
    /// What the till held before, and what was added and taken away, would be 120.
    pub(crate) balance: i64,
}

/// The fencing token, as SQL counts.
fn token(lock: &Lock) -> anyhow::Result<i64> {
    let token = lock
        .fencing_token()
        .context("the table has a column for tokens")?;
    Ok(i64::try_from(token)?)
}

/// Takes the lock as soon as it is free.
async fn acquire(locks: &SqliteLockProvider, at_most: &str) -> anyhow::Result<Lock> {
    let config = LockConfiguration::new("till", at_most)?;
    let acquired = async {
        loop {
            if let Some(lock) = locks.try_lock(config.clone()).await? {
                return Ok(lock);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), acquired).await?
}

/// Takes 30 out of the till and adds 50, on two nodes, of which the first stands still in between.
pub(crate) async fn play(
    locks: [&SqliteLockProvider; 2],
    bank: &Bank,
    writes: Writes,
) -> anyhow::Result<Ending> {
    let [first, second] = locks;
    let write = async |balance, token| match writes {
        Writes::Fenced => bank.write("till", balance, token).await,
        Writes::Unfenced => bank.write_unfenced("till", balance).await,
    };

    // The first node has the lock and has read the till. Now it stands still, past the end of its lease: a virtual
    // machine that is moved, a disk that hangs, or a packet that is on its way for long.
    let stale = acquire(first, "300ms").await?;
    let stale_token = token(&stale)?;
    let seen = bank
        .claim("till", stale_token)
        .await?
        .context("nobody was here")?;

    // The second node finds the lock free, and does its work.
    let lock = acquire(second, "10m").await?;
    let fresh_token = token(&lock)?;
    let balance = bank
        .claim("till", fresh_token)
        .await?
        .context("the lock is the latest")?;
    anyhow::ensure!(
        write(balance + 50, fresh_token).await?,
        "the holder can write"
    );
    lock.unlock().await?;

    // The first node goes on where it was.
    let stale_write_taken = write(seen - 30, stale_token).await?;
    drop(stale);
    if !stale_write_taken {
        // It has lost nothing but time: it takes the lock again, and reads again.
        let lock = acquire(first, "10m").await?;
        let token = token(&lock)?;
        let balance = bank
            .claim("till", token)
            .await?
            .context("the lock is the latest")?;
        anyhow::ensure!(write(balance - 30, token).await?, "the holder can write");
        lock.unlock().await?;
    }
    Ok(Ending {
        stale_write_taken,
        balance: bank.balance("till").await?,
    })
}
