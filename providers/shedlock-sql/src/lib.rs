//! The SQL of shedlock providers.
