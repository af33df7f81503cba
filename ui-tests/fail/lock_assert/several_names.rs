//! Two names are given.

use shedlock::lock_assert;

fn main() {
    lock_assert!("job", "other");
}
