//! The name is a number.

use shedlock::lock_assert;

fn main() {
    lock_assert!(5);
}
