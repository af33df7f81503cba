//! A provider of [shedlock](https://docs.rs/shedlock) for Amazon DynamoDB over the official SDK, [`aws_sdk_dynamodb`]. The page [`night`]
//! describes what happens to locks while DynamoDB throttles, is away or answers late, and the page [`observation`] how leases end without any
//! time of day.
//!
#![doc = include_str!("../README.md")]

mod acquire;
mod connection;
mod error;
mod expression;
mod item;
mod layout;
mod observe;
mod options;
#[cfg(feature = "connect")]
mod own;
mod provider;
mod store;
mod table;
mod time;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

#[cfg(doc)]
#[doc = include_str!("../docs/observation.md")]
pub mod observation {}

pub use aws_sdk_dynamodb;
pub use options::DynamoDbLockProviderBuilder;
pub use provider::DynamoDbLockProvider;
