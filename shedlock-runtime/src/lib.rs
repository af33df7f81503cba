//! The engine of shedlock.
