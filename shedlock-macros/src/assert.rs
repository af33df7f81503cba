//! `lock_assert!`: the running task holds a lock, or a certain one.

use crate::crate_path::CratePath;
use crate::diagnostics::Diagnostics;
use crate::keyed::{Entries, Form, KeySpec, is_negative_number, literal};
use crate::name::{self, Name};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Lit, Token};

const KEYS: [KeySpec; 1] = [KeySpec {
    name: "crate",
    form: Form::Value,
    example: "crate = ::shedlock",
    aliases: &["krate", "path"],
}];

/// The lock that has to be held.
enum Expected {
    Any,
    Name(Name),
    Expr(Expr),
}

/// The whole macro.
pub(crate) fn lock_assert(tokens: TokenStream) -> TokenStream {
    let mut found = Diagnostics::default();
    let (name, rest) = match split.parse2(tokens) {
        Ok(parts) => parts,
        Err(error) => {
            found.absorb(error);
            return found.into_compile_error_expression();
        }
    };
    let mut entries = Entries::parse(rest, &KEYS, &mut found);
    let krate = CratePath::take(&mut entries, &mut found);
    match expected(name, &mut found) {
        Some(expected) if found.is_empty() => expand(&krate, &expected),
        _ => found.into_compile_error_expression(),
    }
}

/// Splits the name, which has no key, from the entries behind it.
fn split(input: ParseStream<'_>) -> syn::Result<(Option<Expr>, TokenStream)> {
    let ahead = input.fork();
    let keyed = ahead.call(Ident::parse_any).is_ok() && ahead.peek(Token![=]);
    if input.is_empty() || (keyed && !ahead.peek(Token![==])) {
        if input.peek(Ident) && input.fork().parse::<Ident>()? == "name" {
            return Err(input.error(
                "`lock_assert!` takes the name alone; write `lock_assert!(\"nightly_report\")`",
            ));
        }
        return Ok((None, input.parse()?));
    }
    let ahead = input.fork();
    let name = ahead.parse()?;
    input.advance_to(&ahead);
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    if !input.is_empty() && !input.peek(Ident::peek_any) {
        return Err(input.error("`lock_assert!` takes one name; assert each lock by itself"));
    }
    Ok((Some(name), input.parse()?))
}

fn expected(name: Option<Expr>, found: &mut Diagnostics) -> Option<Expected> {
    let Some(expr) = name else {
        return Some(Expected::Any);
    };
    match literal(&expr) {
        Some(Lit::Str(text)) => name::check(text.clone(), None, found).map(Expected::Name),
        None if !is_negative_number(&expr) => Some(Expected::Expr(expr)),
        _ => {
            found.error(
                &expr,
                "the name of a lock is a string; write `lock_assert!(\"nightly_report\")`",
            );
            None
        }
    }
}

fn expand(krate: &CratePath, expected: &Expected) -> TokenStream {
    let private = quote!(#krate::__private);
    match expected {
        Expected::Any => quote!(#private::assert_locked()),
        Expected::Name(Name::Fixed(name)) => quote!(#private::assert_locked_by(#name)),
        Expected::Name(Name::Template(template)) => {
            let arguments = template.format_arguments();
            quote!(#private::assert_locked_by(&#private::std::format!(#arguments)))
        }
        Expected::Expr(expr) => {
            let span = Span::mixed_site().located_at(expr.span());
            let text =
                quote_spanned!(span=> #private::core::convert::AsRef::<str>::as_ref(&(#expr)));
            quote!(#private::assert_locked_by(#text))
        }
    }
}
