//! UI tests of the macros.
