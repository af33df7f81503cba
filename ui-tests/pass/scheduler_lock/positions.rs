//! Which run of the lock a call is.

use std::time::{Duration, SystemTime};

use shedlock::scheduler_lock;

struct Order {
    id: u64,
    step: u64,
}

struct Message {
    text: String,
}

const TRIES: u32 = 3;

#[scheduler_lock(name = "literal", at_most = "10m", once_per = "1h")]
async fn literal() {}

#[scheduler_lock(name = "expression", at_most = "10m", once_per = period, attempts = TRIES)]
async fn expression(period: Duration) {}

#[scheduler_lock(name = "instant", at_most = "10m", instant = due, attempts = 2)]
async fn instant(due: SystemTime) -> Result<(), shedlock::LockError> {
    Ok(())
}

#[scheduler_lock(name = "text", at_most = "10m", instant = message)]
async fn text(message: &str) -> Option<usize> {
    Some(message.len())
}

#[scheduler_lock(name = "text-{kind}", at_most = "10m", instant = &message.text, attempts = 3)]
async fn field(kind: u8, message: Message) -> Option<String> {
    Some(message.text)
}

#[scheduler_lock(name = "generic", at_most = "10m", instant = text.as_ref())]
async fn generic<T: AsRef<str>>(text: T) -> Option<T> {
    Some(text)
}

#[scheduler_lock(name = "order-{order.id}", at_most = "1m", step = order.step)]
async fn step(order: Order) -> Result<(), Box<dyn std::error::Error>> {
    drop(order);
    Ok(())
}

fn main() {
    let _ = (literal(), expression(Duration::ZERO), instant(SystemTime::now()));
    let _ = (text("a"), generic("a"), field(1, Message { text: String::new() }));
    let _ = step(Order { id: 1, step: 1 });
}
