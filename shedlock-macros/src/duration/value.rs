//! The value of a key that takes a duration: a checked literal, or an expression of that type.

use crate::diagnostics::Diagnostics;
use crate::duration;
use crate::keyed::{is_negative_number, literal, source};
use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use std::time::Duration;
use syn::{Expr, Ident, Lit, LitStr};

/// As fine as stores count.
const FINEST: Duration = Duration::from_millis(1);

/// Whether zero makes sense for a key.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Zero {
    Allowed,
    /// Refused, for this reason.
    Refused(&'static str),
}

/// Why a limit on the store's time is not zero.
pub(crate) const NO_ANSWER: Zero = Zero::Refused("no store could answer in time");

/// A duration that was checked as far as the compiler can.
pub(crate) enum DurationValue {
    Literal(LitStr, Duration),
    Expr(Expr),
}

impl DurationValue {
    /// Checks what was given for `key`.
    pub(crate) fn check(
        key: &Ident,
        expr: Expr,
        zero: Zero,
        found: &mut Diagnostics,
    ) -> Option<Self> {
        match literal(&expr) {
            Some(Lit::Str(text)) => Self::check_text(key, text.clone(), zero, found),
            // A bare number of milliseconds, as in ShedLock.
            Some(Lit::Int(number)) if number.suffix().is_empty() => {
                let text = LitStr::new(number.base10_digits(), number.span());
                Self::check_text(key, text, zero, found)
            }
            Some(Lit::Int(number)) => {
                let message =
                    format_args!("a duration with a unit is text; write it as `\"{number}\"`");
                found.error(&expr, message);
                None
            }
            Some(_) => {
                found.error(
                    &expr,
                    format_args!(
                        "`{key}` is a duration; write it as `\"10m\"`, or give an expression of \
                         type `Duration`"
                    ),
                );
                None
            }
            None if is_negative_number(&expr) => {
                let number = source(&expr).replace(' ', "");
                let message = format_args!("`{number}` is negative; a duration is zero or more");
                found.error(&expr, message);
                None
            }
            None => Some(Self::Expr(expr)),
        }
    }

    fn check_text(key: &Ident, text: LitStr, zero: Zero, found: &mut Diagnostics) -> Option<Self> {
        match (duration::parse(&text.value()), zero) {
            (Ok(duration), Zero::Refused(reason)) if duration.is_zero() => {
                found.error(&text, format_args!("`{key}` is zero; {reason}"));
                None
            }
            (Ok(duration), Zero::Refused(_)) if duration < FINEST => {
                found.error(
                    &text,
                    format_args!(
                        "`{key}` is under a millisecond, which is as fine as stores count"
                    ),
                );
                None
            }
            (Ok(duration), _) => Some(Self::Literal(text, duration)),
            (Err(message), _) => {
                found.error(&text, message);
                None
            }
        }
    }

    /// The duration, where it is known while compiling.
    pub(crate) fn known(&self) -> Option<(&LitStr, Duration)> {
        match self {
            Self::Literal(text, duration) => Some((text, *duration)),
            Self::Expr(_) => None,
        }
    }

    /// An expression of type `Duration`.
    pub(crate) fn expand(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Literal(text, duration) => {
                let span = proc_macro2::Span::mixed_site().located_at(text.span());
                let seconds = Literal::u64_unsuffixed(duration.as_secs());
                let nanos = Literal::u32_unsuffixed(duration.subsec_nanos());
                quote_spanned!(span=> #private::core::time::Duration::new(#seconds, #nanos))
            }
            // With the user's own spans: a wrong type is reported under this expression.
            Self::Expr(expr) => quote!(#expr),
        }
    }
}
