//! The test kit of shedlock.
