//! The name is empty.

use shedlock::lock_assert;

fn main() {
    lock_assert!("");
}
