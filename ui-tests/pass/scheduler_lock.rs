//! Accepted uses of `#[scheduler_lock]`.

pub mod arguments;
pub mod async_trait;
pub mod blanket_traits;
pub mod bodies;
pub mod durations;
pub mod future_bounds;
pub mod generics;
pub mod impl_future;
pub mod keep_alive;
pub mod macro_rules;
pub mod methods;
pub mod name_expression;
pub mod name_template;
pub mod native_trait;
pub mod on_skip;
pub mod other_attributes;
pub mod plain_function;
pub mod positions;
pub mod provider;
pub mod renamed_facade;
pub mod return_types;
pub mod shadowed_prelude;
pub mod visibility;
