//! `#[scheduler_lock]`: arguments, then validation, then expansion; or the fallback.

use crate::diagnostics::Diagnostics;
use crate::fallback;
use crate::job_fn::JobFn;
use proc_macro2::TokenStream;

mod args;
mod expand;
mod made_anew;
mod position;
mod validate;

/// The whole macro.
pub(crate) fn scheduler_lock(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut found = Diagnostics::default();
    let args = args::Args::parse(args, &mut found);
    let mut job_fn = match syn::parse2::<JobFn>(item.clone()) {
        Ok(job_fn) => job_fn,
        Err(error) => {
            found.absorb(error);
            return fallback::expand(found, item);
        }
    };
    job_fn.refuse_second_lock(&mut found);
    let plan = validate::validate(args, &job_fn, &mut found);
    match plan {
        Some(plan) if found.is_empty() => expand::expand(&job_fn, &plan),
        _ => fallback::expand(found, &job_fn.as_written()),
    }
}
