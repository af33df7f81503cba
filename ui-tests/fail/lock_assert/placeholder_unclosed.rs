//! The name has an unclosed brace.

use shedlock::lock_assert;

fn main() {
    lock_assert!("sync-{tenant");
}
