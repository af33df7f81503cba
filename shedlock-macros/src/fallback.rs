//! What a macro yields when it found errors: the item as written, beside them.
//!
//! Other code still finds the function, so no second wave of errors follows, and an editor keeps
//! completing inside the body.

use crate::diagnostics::Diagnostics;
use proc_macro2::TokenStream;

/// The errors, and `item`.
pub(crate) fn expand(found: Diagnostics, item: &TokenStream) -> TokenStream {
    let errors = found.into_compile_errors();
    quote::quote!(#errors #item)
}
