//! What shedlock costs: the jobs that are measured, and how.
//!
//! The program `report` prints every figure beside its goal; criterion's benchmarks look at the in-process ones closely.

pub mod clock;
pub mod jobs;
pub mod rounds;
pub mod table;
