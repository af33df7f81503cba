//! The name is an expression that gives no string.

use shedlock::lock_assert;

fn main() {
    let number = 5_u32;
    lock_assert!(number);
}
