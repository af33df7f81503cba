//! The name is given with a key.

use shedlock::lock_assert;

fn main() {
    lock_assert!(name = "job");
}
