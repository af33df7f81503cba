//! The macros of shedlock. Use them through the `shedlock` crate, which their expansions name.

mod assert;
mod crate_path;
mod diagnostics;
mod duration;
mod enable;
mod fallback;
mod job_fn;
mod keyed;
mod name;
mod scheduler_lock;

use proc_macro::TokenStream;

/// X
#[proc_macro_attribute]
pub fn scheduler_lock(args: TokenStream, item: TokenStream) -> TokenStream {
    scheduler_lock::scheduler_lock(args.into(), &item.into()).into()
}

/// X
#[proc_macro]
pub fn enable_scheduler_lock(tokens: TokenStream) -> TokenStream {
    enable::enable_scheduler_lock(tokens.into()).into()
}

/// X
#[proc_macro]
pub fn lock_assert(tokens: TokenStream) -> TokenStream {
    assert::lock_assert(tokens.into()).into()
}
