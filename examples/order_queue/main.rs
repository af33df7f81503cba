//! A queue of orders in a database, each worked on in three steps that never repeat:
//! `cargo run -p shedlock-examples --example order_queue`.
//!
//! A worker may be killed at any moment; another one goes on with the step that was not done. `steps` has the steps, `queue` the tables.
//! What the three steps show:
//!
//! 1. The charge is a row of the database. The row and the mark of the step are committed together: the charge is made exactly once.
//! 2. The mail leaves the database. It is sent before the step is marked as done: at least once, and each time with the same number, by
//!    which the mail server can refuse the second copy.
//! 3. The text message leaves the database, too. The step is marked as done before it is sent: at most once.
//!
//! No lock and no transaction can make an effect outside of the database happen exactly once.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the program shows what happens"
)]

mod checkpoint;
mod queue;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

use shedlock::enable_scheduler_lock;
use shedlock_sqlx::SqliteLockProvider;

use crate::queue::Queue;

/// Works until the queue in this folder is empty. Without an argument the folder is a new one with three orders.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let fresh = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| fresh.path().to_owned());
    let queue = Queue::open(&folder).await?;
    let provider = SqliteLockProvider::connect(&queue.url()).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "3s");
    loop {
        let open = queue.open_orders().await?;
        if open.is_empty() {
            break;
        }
        for order in open {
            // What failed is tried again: no step runs twice for that.
            if let Err(error) = steps::work(&queue, order).await {
                eprintln!("order {order}: {error}");
            }
        }
        // Another worker has the lock of each order that is still open; one that died has it until its lease ends.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for line in queue.report().await? {
        println!("{line}");
    }
    Ok(())
}
