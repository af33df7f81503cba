//! placeholder
#[derive(Debug)]
pub struct Proxy;
