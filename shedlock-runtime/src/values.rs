//! What names, times and answers are. A value knows no provider.

pub(crate) mod backoff;
pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod duration;
pub(crate) mod error;
pub(crate) mod limit;
pub(crate) mod lock_value;
pub(crate) mod moment;
pub(crate) mod name;
pub(crate) mod node;
pub(crate) mod operator_mark;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod owner;
pub(crate) mod position;
pub(crate) mod printable;
pub(crate) mod rate_limit;
pub(crate) mod short_duration;
pub(crate) mod timestamp;
