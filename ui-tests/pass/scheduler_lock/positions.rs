//! Which run of the lock a call is.

use std::time::{Duration, SystemTime};

use shedlock::scheduler_lock;

/// An order of several steps.
#[derive(Debug)]
pub struct Order {
    /// Names the chain.
    pub id: u64,
    /// Counted from one.
    pub step: u64,
}

/// What names its run.
#[derive(Debug)]
pub struct Message {
    /// The id of the message.
    pub text: String,
}

const TRIES: u32 = 3;

/// A slot of a fixed length.
#[scheduler_lock(name = "literal", at_most = "10m", once_per = "1h")]
pub async fn literal() {}

/// A slot whose length is known at run time.
#[scheduler_lock(name = "expression", at_most = "10m", once_per = period, attempts = TRIES)]
pub async fn expression(period: Duration) {}

/// A time.
#[scheduler_lock(name = "instant", at_most = "10m", instant = due, attempts = 2)]
pub async fn instant(due: SystemTime) -> Result<(), shedlock::LockError> {
    Ok(())
}

/// A text.
#[scheduler_lock(name = "text", at_most = "10m", instant = message)]
pub async fn text(message: &str) -> Option<usize> {
    Some(message.len())
}

/// A text in an argument, which moves into the body.
#[scheduler_lock(name = "text-{kind}", at_most = "10m", instant = &message.text, attempts = 3)]
pub async fn field(kind: u8, message: Message) -> Option<String> {
    Some(message.text)
}

/// A text of any type.
#[scheduler_lock(name = "generic", at_most = "10m", instant = text.as_ref())]
pub async fn generic<T: AsRef<str>>(text: T) -> Option<T> {
    Some(text)
}

/// A step.
#[scheduler_lock(name = "order-{order.id}", at_most = "1m", step = order.step)]
pub async fn step(order: Order) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let id = order.id.checked_sub(1);
    id.map(drop).ok_or_else(|| "no order".into())
}
