//! What the end to end tests of shedlock share.
