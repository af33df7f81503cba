//! Where the facade is: `::shedlock`, or what `crate = ..` says.

use crate::diagnostics::Diagnostics;
use crate::keyed::{Entries, literal, source};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Path};

/// The path by which the expansion names the facade.
pub(crate) struct CratePath(Option<Path>);

impl CratePath {
    /// Takes `crate = path` out of the entries.
    pub(crate) fn take(entries: &mut Entries, found: &mut Diagnostics) -> Self {
        let Some((_, expr)) = entries.take_expr("crate") else {
            return Self(None);
        };
        match &expr {
            Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => {
                Self(checked(&path.path, found))
            }
            _ if literal(&expr).is_some() => {
                found.error(&expr, "`crate` is a path; write it without quotes");
                Self(None)
            }
            _ => {
                found.error(
                    &expr,
                    "expected a path, such as `crate = ::my_crate::shedlock`",
                );
                Self(None)
            }
        }
    }
}

/// Refuses paths that mean something else in every module they are expanded in.
fn checked(path: &Path, found: &mut Diagnostics) -> Option<Path> {
    let first = path.segments.first()?;
    if first.ident == "self" || first.ident == "super" || first.ident == "Self" {
        found.error(
            path,
            format_args!(
                "`{}` is relative to a module; write `crate::path::to::shedlock` or \
                 `::name::of::shedlock`",
                source(path).replace(' ', "")
            ),
        );
        return None;
    }
    Some(path.clone())
}

impl ToTokens for CratePath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(path) = &self.0 {
            path.to_tokens(tokens);
        } else {
            tokens.extend(quote_spanned!(Span::mixed_site()=> ::shedlock));
        }
    }
}
