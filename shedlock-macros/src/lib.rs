//! The macros of shedlock.
