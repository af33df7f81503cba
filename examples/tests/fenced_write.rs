//! The fence holds, and without it the same story loses money.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

#[path = "../fenced_write/bank.rs"]
mod bank;
#[path = "../fenced_write/story.rs"]
mod story;

use shedlock_sqlx::SqliteLockProvider;
use shedlock_sqlx::sqlx::SqlitePool;
use tempfile::TempDir;

use crate::bank::Bank;
use crate::story::{Ending, Writes, play};

async fn bank(folder: &TempDir) -> Bank {
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("bank.db").display()
    );
    Bank::open(SqlitePool::connect(&url).await.unwrap())
        .await
        .unwrap()
}

async fn ending(writes: Writes) -> Ending {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("locks.db").display());
    let one = SqliteLockProvider::connect(&url).await.unwrap();
    one.ensure_schema().await.unwrap();
    let two = SqliteLockProvider::connect(&url).await.unwrap();
    play([&one, &two], &bank(&folder).await, writes)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_stale_writer_is_refused() {
    assert_eq!(
        ending(Writes::Fenced).await,
        Ending {
            stale_write_taken: false,
            balance: 120,
        }
    );
}

#[tokio::test]
async fn without_the_fence_the_other_nodes_write_is_lost() {
    assert_eq!(
        ending(Writes::Unfenced).await,
        Ending {
            stale_write_taken: true,
            balance: 70,
        }
    );
}

/// Or the write of the stale holder would come between the fresh one's read and write.
#[tokio::test]
async fn a_read_already_shuts_earlier_holders_out() {
    let folder = TempDir::new().unwrap();
    let bank = bank(&folder).await;
    assert_eq!(bank.claim("till", 1).await.unwrap(), Some(100));
    assert_eq!(bank.claim("till", 2).await.unwrap(), Some(100));
    assert!(!bank.write("till", 70, 1).await.unwrap());
    assert_eq!(bank.claim("till", 1).await.unwrap(), None);
    assert!(bank.write("till", 150, 2).await.unwrap());
    // A holder may write more than once.
    assert!(bank.write("till", 160, 2).await.unwrap());
    assert_eq!(bank.balance("till").await.unwrap(), 160);
}
