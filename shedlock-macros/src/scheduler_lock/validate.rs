//! From arguments as written to a plan that cannot be wrong.

use super::args::{Args, Keyed};
use super::made_anew::memory_made_anew;
use super::position::{Position, PositionArgs};
use crate::crate_path::CratePath;
use crate::diagnostics::{Diagnostics, closest};
use crate::duration::{DurationValue, NO_ANSWER, Zero};
use crate::job_fn::{JobFn, Output, Shape};
use crate::keyed::{Entry, Value, is_negative_number, literal};
use crate::name::{self, Name};
use proc_macro2::Span;
use std::time::Duration;
use syn::{Expr, Lit, LitStr};

/// The runtime refuses to keep a shorter lease alive, at each call.
const MIN_KEEP_ALIVE_LEASE: Duration = Duration::from_millis(300);

/// Everything the expansion needs.
pub(super) struct Plan {
    pub(super) krate: CratePath,
    pub(super) name: JobName,
    pub(super) at_most: Option<DurationValue>,
    pub(super) at_least: Option<DurationValue>,
    pub(super) provider: Option<Provider>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) on_skip: Option<Expr>,
    pub(super) on_error: Option<Expr>,
    pub(super) on_lost: Option<OnLost>,
    pub(super) wait: Option<DurationValue>,
    pub(super) timeout: Option<DurationValue>,
    pub(super) position: Position,
    pub(super) shape: Shape,
    pub(super) output: Output,
}

/// Where the lock's name comes from.
pub(super) enum JobName {
    Checked(Name),
    Expr(Expr),
}

/// Which store keeps the lock.
pub(super) enum Provider {
    Named(LitStr),
    Expr(Expr),
}

/// How the lock is extended while the body runs.
pub(super) enum KeepAlive {
    /// Every half of `at_most`.
    Default,
    Every(DurationValue),
}

/// What happens to the body when the lock is lost.
#[derive(Clone, Copy)]
pub(super) enum OnLost {
    Cancel,
    Notify,
}

/// Checks everything; each mistake is recorded in `found`.
pub(super) fn validate(args: Args, job_fn: &JobFn, found: &mut Diagnostics) -> Option<Plan> {
    let name = match args.name {
        Some((_, expr)) => job_name(expr, job_fn, found),
        None if args.name_is_missing => {
            found.error_at(
                // There is no token to point at: the place is the attribute itself.
                Span::call_site(),
                format_args!(
                    "missing `name`; write `#[scheduler_lock(name = \"{}\")]`",
                    job_fn.sig.ident
                ),
            );
            None
        }
        None => None,
    };
    let never_held = Zero::Refused("the lock would end the moment it is taken");
    let never_waits = Zero::Refused("leave `wait` out to skip at once");
    let at_most = duration(args.at_most, never_held, found);
    let at_least = duration(args.at_least, Zero::Allowed, found);
    let keep_alive = args
        .keep_alive
        .and_then(|entry| keep_alive(entry, at_most.as_ref(), found));
    let provider = args.provider.and_then(|(_, expr)| provider(expr, found));
    let on_lost = args.on_lost.and_then(|(_, expr)| on_lost(&expr, found));
    let wait = duration(args.wait, never_waits, found);
    let timeout = duration(args.timeout, NO_ANSWER, found);
    let position = PositionArgs {
        once_per: args.once_per,
        instant: args.instant,
        step: args.step,
        attempts: args.attempts,
    };
    let position = Position::check(position, found);
    let (shape, output) = job_fn.classify(found)?;
    if let Some(Provider::Expr(expr)) = &provider
        && !job_fn.runs_once(&shape)
        && let Some(call) = memory_made_anew(expr)
    {
        found.error(
            call,
            "each call would make locks of its own here and exclude no other; keep one provider \
             and give it, such as `provider = &self.locks`",
        );
    }
    let on_skip = args.on_skip.map(|(_, expr)| expr);
    if on_skip.is_none() && output.is_inferred() {
        found.error(
            &job_fn.sig.output,
            "the type behind `impl` is unknown here; say what a skipped call returns with \
             `on_skip = ..`",
        );
    }
    Some(Plan {
        krate: args.krate,
        name: name?,
        at_most,
        at_least,
        provider,
        keep_alive,
        on_skip,
        on_error: args.on_error.map(|(_, expr)| expr),
        on_lost,
        wait,
        timeout,
        position,
        shape,
        output,
    })
}

fn job_name(expr: Expr, job_fn: &JobFn, found: &mut Diagnostics) -> Option<JobName> {
    match literal(&expr) {
        Some(Lit::Str(text)) => {
            name::check(text.clone(), Some(&job_fn.scope()), found).map(JobName::Checked)
        }
        None if !is_negative_number(&expr) => Some(JobName::Expr(expr)),
        _ => {
            found.error(
                &expr,
                "`name` is a string; write `name = \"nightly_report\"`",
            );
            None
        }
    }
}

fn duration(arg: Option<Keyed>, zero: Zero, found: &mut Diagnostics) -> Option<DurationValue> {
    let (key, expr) = arg?;
    DurationValue::check(&key, expr, zero, found)
}

fn provider(expr: Expr, found: &mut Diagnostics) -> Option<Provider> {
    match literal(&expr) {
        Some(Lit::Str(name)) if name.value().is_empty() => {
            found.error(
                name,
                "the provider's name is empty; give one of `enable_scheduler_lock!(providers = \
                 { .. })`",
            );
            None
        }
        Some(Lit::Str(name)) => Some(Provider::Named(name.clone())),
        None if !is_negative_number(&expr) => Some(Provider::Expr(expr)),
        _ => {
            found.error(
                &expr,
                "`provider` is the name of a registered provider, `\"reports\"`, or an \
                 expression, `&self.locks`",
            );
            None
        }
    }
}

fn keep_alive(
    entry: Entry,
    at_most: Option<&DurationValue>,
    found: &mut Diagnostics,
) -> Option<KeepAlive> {
    let lease = at_most.and_then(DurationValue::known);
    if let Some((text, at_most)) = lease
        && at_most < MIN_KEEP_ALIVE_LEASE
    {
        found.error(
            text,
            "`keep_alive` needs an `at_most` of `300ms` or more; a shorter lease is over before a \
             failed extension could be tried again",
        );
        return None;
    }
    let Value::Expr(expr) = entry.value else {
        return Some(KeepAlive::Default);
    };
    if let Some(Lit::Bool(flag)) = literal(&expr) {
        let fix = if flag.value {
            "write `keep_alive` alone"
        } else {
            "leave it out"
        };
        found.error(
            &expr,
            format_args!("`keep_alive` is a flag or a period; {fix}"),
        );
        return None;
    }
    let zero = Zero::Refused("write `keep_alive` alone for half of `at_most`");
    let every = DurationValue::check(&entry.key, expr, zero, found)?;
    if let Some((period, every)) = every.known()
        && let Some((lease, at_most)) = lease
        && every >= at_most
    {
        found.error(
            period,
            format_args!(
                "`keep_alive` ({}) is not shorter than `at_most` ({}); the lock would end before \
                 its first extension",
                period.value(),
                lease.value()
            ),
        );
        return None;
    }
    Some(KeepAlive::Every(every))
}

fn on_lost(expr: &Expr, found: &mut Diagnostics) -> Option<OnLost> {
    let choices = "`\"cancel\"` (drop the body) or `\"notify\"` (let it go on)";
    let Some(Lit::Str(text)) = literal(expr) else {
        found.error(expr, format_args!("`on_lost` is {choices}"));
        return None;
    };
    match text.value().as_str() {
        "cancel" => Some(OnLost::Cancel),
        "notify" => Some(OnLost::Notify),
        other => {
            let fix = match closest(other, ["cancel", "notify"]) {
                Some(near) => format!("did you mean `\"{near}\"`?"),
                None => format!("`on_lost` is {choices}"),
            };
            found.error(text, format_args!("unknown choice `\"{other}\"`; {fix}"));
            None
        }
    }
}
