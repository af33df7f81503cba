//! A lock ends when its time is over, also if its holder does not know yet. What the holder writes then must be refused
//! by the place it is written to: `cargo run -p shedlock-examples --example fenced_write`.
//!
//! `bank` has the table and its two statements, `story` the nodes.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

mod bank;
mod story;

use shedlock_sqlx::SqliteLockProvider;
use shedlock_sqlx::sqlx::SqlitePool;

use crate::bank::Bank;
use crate::story::{Writes, play};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("the till holds 100; one node takes 30 out, another adds 50: that is 120");
    for writes in [Writes::Unfenced, Writes::Fenced] {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| format!("sqlite://{}?mode=rwc", folder.path().join(name).display());
        let one = SqliteLockProvider::connect(&file("locks.db")).await?;
        one.ensure_schema().await?;
        let two = SqliteLockProvider::connect(&file("locks.db")).await?;
        let bank = Bank::open(SqlitePool::connect(&file("bank.db")).await?).await?;
        let ending = play([&one, &two], &bank, writes).await?;
        println!(
            "{writes:?}: the write of the node that had lost its lock was {}, and the till holds {}",
            if ending.stale_write_taken {
                "taken"
            } else {
                "refused"
            },
            ending.balance
        );
    }
    Ok(())
}
