//! The grammar of `#[scheduler_lock(..)]`; what the values mean is checked later.

use crate::crate_path::CratePath;
use crate::diagnostics::Diagnostics;
use crate::keyed::{Entries, Entry, Form, KeySpec};
use proc_macro2::TokenStream;
use syn::{Expr, Ident};

/// The keys, in the order in which they are listed to the user.
const KEYS: [KeySpec; 15] = [
    KeySpec {
        name: "name",
        form: Form::Value,
        example: "name = \"nightly_report\"",
        aliases: &["lock_name", "id", "key"],
    },
    KeySpec {
        name: "at_most",
        form: Form::Value,
        example: "at_most = \"10m\"",
        aliases: &[
            "lock_at_most_for",
            "at_most_for",
            "lock_at_most",
            "ttl",
            "lease",
            "max",
        ],
    },
    KeySpec {
        name: "at_least",
        form: Form::Value,
        example: "at_least = \"1m\"",
        aliases: &["lock_at_least_for", "at_least_for", "lock_at_least", "min"],
    },
    KeySpec {
        name: "provider",
        form: Form::Value,
        example: "provider = \"reports\"",
        aliases: &["lock_provider", "using", "store"],
    },
    KeySpec {
        name: "keep_alive",
        form: Form::FlagOrValue,
        example: "keep_alive = \"1m\"",
        aliases: &["heartbeat", "renew"],
    },
    KeySpec {
        name: "on_skip",
        form: Form::Value,
        example: "on_skip = Report::skipped(reason)",
        aliases: &["or_else", "skip", "skipped"],
    },
    KeySpec {
        name: "on_error",
        form: Form::Value,
        example: "on_error = Report::failed(error)",
        aliases: &["error"],
    },
    KeySpec {
        name: "on_lost",
        form: Form::Value,
        example: "on_lost = \"cancel\"",
        aliases: &["on_loss", "lost"],
    },
    KeySpec {
        name: "wait",
        form: Form::Value,
        example: "wait = \"5s\"",
        aliases: &["wait_for", "max_wait", "wait_timeout"],
    },
    KeySpec {
        name: "timeout",
        form: Form::Value,
        example: "timeout = \"30s\"",
        aliases: &["time_limit", "limit", "store_timeout", "acquire_timeout"],
    },
    KeySpec {
        name: "once_per",
        form: Form::Value,
        example: "once_per = \"1h\"",
        aliases: &["once", "slot", "period", "every"],
    },
    KeySpec {
        name: "instant",
        form: Form::Value,
        example: "instant = due",
        aliases: &["tick", "due", "scheduled_at", "scheduled_for"],
    },
    KeySpec {
        name: "step",
        form: Form::Value,
        example: "step = 2",
        aliases: &["sequence", "stage"],
    },
    KeySpec {
        name: "attempts",
        form: Form::Value,
        example: "attempts = 3",
        aliases: &["tries", "max_attempts", "max_tries", "retries"],
    },
    KeySpec {
        name: "crate",
        form: Form::Value,
        example: "crate = ::shedlock",
        aliases: &["krate", "path"],
    },
];

/// A key and its expression.
pub(super) type Keyed = (Ident, Expr);

/// The arguments as written.
pub(super) struct Args {
    pub(super) krate: CratePath,
    pub(super) name: Option<Keyed>,
    /// Whether a missing name has to be reported.
    pub(super) name_is_missing: bool,
    pub(super) at_most: Option<Keyed>,
    pub(super) at_least: Option<Keyed>,
    pub(super) provider: Option<Keyed>,
    pub(super) keep_alive: Option<Entry>,
    pub(super) on_skip: Option<Keyed>,
    pub(super) on_error: Option<Keyed>,
    pub(super) on_lost: Option<Keyed>,
    pub(super) wait: Option<Keyed>,
    pub(super) timeout: Option<Keyed>,
    pub(super) once_per: Option<Keyed>,
    pub(super) instant: Option<Keyed>,
    pub(super) step: Option<Keyed>,
    pub(super) attempts: Option<Keyed>,
}

impl Args {
    /// Reads the arguments.
    pub(super) fn parse(tokens: TokenStream, found: &mut Diagnostics) -> Self {
        let mut entries = Entries::parse(tokens, &KEYS, found);
        Self {
            krate: CratePath::take(&mut entries, found),
            name_is_missing: !entries.mentions("name"),
            name: entries.take_expr("name"),
            at_most: entries.take_expr("at_most"),
            at_least: entries.take_expr("at_least"),
            provider: entries.take_expr("provider"),
            keep_alive: entries.take("keep_alive"),
            on_skip: entries.take_expr("on_skip"),
            on_error: entries.take_expr("on_error"),
            on_lost: entries.take_expr("on_lost"),
            wait: entries.take_expr("wait"),
            timeout: entries.take_expr("timeout"),
            once_per: entries.take_expr("once_per"),
            instant: entries.take_expr("instant"),
            step: entries.take_expr("step"),
            attempts: entries.take_expr("attempts"),
        }
    }
}
