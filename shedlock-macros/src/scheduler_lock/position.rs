//! `once_per`, `instant`, `step` and `attempts`: which run of the lock a call is.

use super::args::Keyed;
use crate::diagnostics::Diagnostics;
use crate::duration::{DurationValue, Zero};
use crate::keyed::{is_negative_number, literal};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use std::time::Duration;
use syn::spanned::Spanned as _;
use syn::{Expr, Lit};

/// The runtime refuses a longer period, at each call.
const LONGEST_PERIOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What was given.
pub(super) struct PositionArgs {
    pub(super) once_per: Option<Keyed>,
    pub(super) instant: Option<Keyed>,
    pub(super) step: Option<Keyed>,
    pub(super) attempts: Option<Keyed>,
}

/// Which run of the lock a call is.
pub(super) struct Position {
    wanted: Option<Wanted>,
    attempts: Option<Expr>,
}

enum Wanted {
    OncePer(DurationValue),
    Instant(Expr),
    Step(Expr),
}

impl Position {
    /// Checks what was given; each mistake is recorded in `found`.
    pub(super) fn check(args: PositionArgs, found: &mut Diagnostics) -> Self {
        let PositionArgs {
            once_per,
            instant,
            step,
            attempts,
        } = args;
        let given: Vec<Ident> = [&once_per, &instant, &step]
            .into_iter()
            .filter_map(|arg| arg.as_ref().map(|(key, _)| key.clone()))
            .collect();
        if let [first, others @ ..] = &*given {
            for other in others {
                found.error(
                    other,
                    format_args!("`{other}` and `{first}` both say which run this is; keep one"),
                );
            }
        } else if let Some((key, _)) = &attempts {
            found.error(
                key,
                "`attempts` counts the runs for a slot, an instant or a step; give `once_per`, \
                 `instant` or `step`, too",
            );
        }
        let wanted = once_per
            .and_then(|arg| period(arg, found))
            .map(Wanted::OncePer)
            .or_else(|| {
                instant
                    .and_then(|arg| not_a_literal(arg, found))
                    .map(Wanted::Instant)
            })
            .or_else(|| {
                step.and_then(|arg| count(arg, &STEP, found))
                    .map(Wanted::Step)
            });
        Self {
            wanted,
            attempts: attempts.and_then(|arg| count(arg, &ATTEMPTS, found)),
        }
    }

    /// The calls that tell the runtime.
    pub(super) fn expand(&self, private: &TokenStream) -> TokenStream {
        let wanted = match &self.wanted {
            None => TokenStream::new(),
            Some(Wanted::OncePer(period)) => {
                let period = period.expand(private);
                quote!(.once_per(#period))
            }
            Some(Wanted::Instant(expr)) => {
                let given = quote_spanned! {hidden(expr.span())=>
                    #private::GivenInstant(#expr).__shedlock_instant()
                };
                quote!(.instant({ use #private::{IsText as _, IsTime as _}; #given }))
            }
            Some(Wanted::Step(expr)) => with_value("step", expr),
        };
        let attempts = self
            .attempts
            .as_ref()
            .map(|expr| with_value("attempts", expr));
        quote!(#wanted #attempts)
    }
}

/// Located at the user's code, but none of it.
fn hidden(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

fn not_a_literal((_, expr): Keyed, found: &mut Diagnostics) -> Option<Expr> {
    if literal(&expr).is_none() {
        return Some(expr);
    }
    found.error(
        &expr,
        "`instant` is the same for every call here, so the function would run once and never \
         again; give the `SystemTime` for which the run is scheduled, or a text that names the \
         run, such as the id of a message",
    );
    None
}

fn with_value(setter: &str, expr: &Expr) -> TokenStream {
    let span = Span::mixed_site().located_at(expr.span());
    let setter = Ident::new(setter, Span::mixed_site());
    quote_spanned!(span=> .#setter(#expr))
}

fn period((key, expr): Keyed, found: &mut Diagnostics) -> Option<DurationValue> {
    let zero = Zero::Refused("give the time from one run to the next");
    let period = DurationValue::check(&key, expr, zero, found)?;
    if let Some((text, known)) = period.known()
        && known > LONGEST_PERIOD
    {
        found.error(
            text,
            "`once_per` is longer than a year; give the time from one run to the next",
        );
        return None;
    }
    Some(period)
}

/// What zero would mean for a key that counts from one.
struct Count {
    zero: &'static str,
    form: &'static str,
}

const STEP: Count = Count {
    zero: "a chain begins with step 1",
    form: "`step` is a number, counted from one, or an expression of type `u64`",
};

const ATTEMPTS: Count = Count {
    zero: "nothing would ever run",
    form: "`attempts` is a number, one or more, or an expression of type `u32`",
};

fn count((key, expr): Keyed, count: &Count, found: &mut Diagnostics) -> Option<Expr> {
    match literal(&expr) {
        Some(Lit::Int(number)) if number.base10_digits() == "0" => {
            found.error(&expr, format_args!("`{key}` is zero; {}", count.zero));
            None
        }
        Some(Lit::Int(_)) => Some(expr),
        None if !is_negative_number(&expr) => Some(expr),
        _ => {
            found.error(&expr, count.form);
            None
        }
    }
}
