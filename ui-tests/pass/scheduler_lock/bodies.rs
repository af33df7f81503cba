//! Bodies: whatever stands in them stays as it is.

use shedlock::scheduler_lock;
use std::ops::ControlFlow;

/// Ends in an expression that begins with a parenthesis, after a block.
#[scheduler_lock(name = "tail", at_most = "1m")]
pub async fn tail(count: u32) -> Option<u32> {
    (count > 1).then_some(count)
}

/// Begins with a unary operator.
#[scheduler_lock(name = "unary", at_most = "1m")]
pub async fn unary(target: &mut u32) {
    *target += 1;
}

/// Nested functions, closures, loops, labels, macros and shadowing.
#[scheduler_lock(name = "nested", at_most = "1m")]
pub async fn nested(count: u32) -> Option<u32> {
    fn double(count: u32) -> u32 {
        count * 2
    }

    let job = double(count);
    let more = |value: u32| value + job;
    let found = 'outer: loop {
        for step in 0..more(1) {
            if step == 3 {
                break 'outer step;
            }
        }
        if count < 2 {
            return None;
        }
    };
    match ControlFlow::<(), u32>::Continue(found) {
        ControlFlow::Continue(found) => Some(found),
        ControlFlow::Break(()) => None,
    }
}

/// A future whose type has to be known in the body: the error of `?` and `into()`.
#[scheduler_lock(name = "inferred", at_most = "1m")]
pub async fn inferred(text: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let numbers = text
        .split(',')
        .map(str::parse)
        .collect::<Result<Vec<u32>, _>>()?;
    if numbers.is_empty() {
        return Err("empty".into());
    }
    Ok(())
}

/// Recursion needs a box here as without the lock.
#[scheduler_lock(name = "recursive", at_most = "1m")]
pub async fn recursive(depth: u32) -> Option<u32> {
    if depth == 0 {
        return Some(0);
    }
    Box::pin(recursive(depth - 1)).await
}
