//! The steps of an order. A step that is done never runs again, and none begins before the one before it is done.

use shedlock::{Outcome, SkipReason, scheduler_lock};
use shedlock_sqlx::complete_in;
use shedlock_sqlx::sqlx;

use crate::checkpoint::checkpoint;
use crate::queue::Queue;

type Done = anyhow::Result<Outcome<()>>;

/// Works on an order as far as it can be worked on now.
pub(crate) async fn work(queue: &Queue, order: i64) -> anyhow::Result<()> {
    for step in 1..=3 {
        let outcome = match step {
            1 => charge(queue, order).await?,
            2 => mail(queue, order).await?,
            _ => text(queue, order).await?,
        };
        match outcome {
            // Done now, or by whoever came before.
            Outcome::Executed(()) | Outcome::Skipped(SkipReason::AlreadyRan) => {}
            // Another worker is at it, or was, and its lease has not ended.
            Outcome::Skipped(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Exactly once: the charge and the mark of the step are committed together.
#[scheduler_lock(name = "order-{order}", step = 1)]
async fn charge(queue: &Queue, order: i64) -> Done {
    checkpoint();
    let mut transaction = queue.pool.begin().await?;
    sqlx::query("INSERT INTO charges (order_id) VALUES (?)")
        .bind(order)
        .execute(&mut *transaction)
        .await?;
    checkpoint();
    complete_in(&mut transaction).await?;
    checkpoint();
    transaction.commit().await?;
    checkpoint();
    Ok(Outcome::Executed(()))
}

/// At least once: a worker that dies after the mail and before the end of the step leaves the step to be tried again.
#[scheduler_lock(name = "order-{order}", step = 2)]
async fn mail(queue: &Queue, order: i64) -> Done {
    checkpoint();
    // The same number for each try, so that the mail server can tell the copies.
    queue.mail(order, &format!("{order}/2"))?;
    checkpoint();
    Ok(Outcome::Executed(()))
}

/// At most once: a worker that dies after the mark and before the text message leaves it unsent.
#[scheduler_lock(name = "order-{order}", step = 3)]
async fn text(queue: &Queue, order: i64) -> Done {
    checkpoint();
    let mut transaction = queue.pool.begin().await?;
    sqlx::query("UPDATE orders SET is_finished = 1 WHERE id = ?")
        .bind(order)
        .execute(&mut *transaction)
        .await?;
    complete_in(&mut transaction).await?;
    checkpoint();
    transaction.commit().await?;
    checkpoint();
    queue.text(order)?;
    checkpoint();
    Ok(Outcome::Executed(()))
}
