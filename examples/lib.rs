#![doc = include_str!("README.md")]

mod built_example;

pub use built_example::built_example;
