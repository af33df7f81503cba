//! `enable_scheduler_lock!`: which stores there are, and the defaults.

use crate::crate_path::CratePath;
use crate::diagnostics::Diagnostics;
use crate::duration::{DurationValue, NO_ANSWER, Zero};
use crate::keyed::{Entries, Form, KeySpec, Value, literal};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::HashSet;
use syn::{Expr, LitStr};

const KEYS: [KeySpec; 6] = [
    KeySpec {
        name: "provider",
        form: Form::Value,
        example: "provider = provider",
        aliases: &["lock_provider", "default_provider"],
    },
    KeySpec {
        name: "providers",
        form: Form::Table,
        example: "providers = { \"reports\" = provider }",
        aliases: &["lock_providers", "named_providers"],
    },
    KeySpec {
        name: "default_at_most",
        form: Form::Value,
        example: "default_at_most = \"10m\"",
        aliases: &[
            "default_lock_at_most_for",
            "default_lock_at_most",
            "lock_at_most_for",
            "at_most",
        ],
    },
    KeySpec {
        name: "default_at_least",
        form: Form::Value,
        example: "default_at_least = \"0s\"",
        aliases: &[
            "default_lock_at_least_for",
            "default_lock_at_least",
            "lock_at_least_for",
            "at_least",
        ],
    },
    KeySpec {
        name: "default_timeout",
        form: Form::Value,
        example: "default_timeout = \"30s\"",
        aliases: &["timeout", "default_time_limit", "time_limit"],
    },
    KeySpec {
        name: "crate",
        form: Form::Value,
        example: "crate = ::shedlock",
        aliases: &["krate", "path"],
    },
];

/// What to install, all of it checked.
struct Plan {
    krate: CratePath,
    provider: Option<Expr>,
    named: Vec<(LitStr, Expr)>,
    default_at_most: DurationValue,
    default_at_least: Option<DurationValue>,
    default_timeout: Option<DurationValue>,
}

/// The whole macro.
pub(crate) fn enable_scheduler_lock(tokens: TokenStream) -> TokenStream {
    let mut found = Diagnostics::default();
    match validate(tokens, &mut found) {
        Some(plan) if found.is_empty() => expand(&plan),
        _ => found.into_compile_error_expression(),
    }
}

fn validate(tokens: TokenStream, found: &mut Diagnostics) -> Option<Plan> {
    let mut entries = Entries::parse(tokens, &KEYS, found);
    let krate = CratePath::take(&mut entries, found);
    let provider = entries.take_expr("provider").map(|(_, expr)| expr);
    if let Some(expr) = provider.as_ref().filter(|expr| literal(expr).is_some()) {
        found.error(
            expr,
            "`provider` is a lock provider, not a literal; names belong into `providers = { .. }`",
        );
    }
    let named = entries.take("providers").map(|entry| {
        let rows = match entry.value {
            Value::Table(rows) => rows,
            Value::Flag | Value::Expr(_) => Vec::new(),
        };
        check_names(&rows, found);
        if rows.is_empty() && provider.is_none() && !entries.mentions("provider") {
            found.error(
                &entry.key,
                "no provider at all; write `provider = provider`",
            );
        }
        rows
    });
    if !entries.mentions("provider") && !entries.mentions("providers") {
        missing("provider", "provider = provider", found);
    }
    let zero = Zero::Refused("the locks would end the moment they are taken");
    if !entries.mentions("default_at_most") {
        missing("default_at_most", "default_at_most = \"10m\"", found);
    }
    let default_at_most = entries
        .take_expr("default_at_most")
        .and_then(|(key, expr)| DurationValue::check(&key, expr, zero, found));
    let default_at_least = entries
        .take_expr("default_at_least")
        .and_then(|(key, expr)| DurationValue::check(&key, expr, Zero::Allowed, found));
    let default_timeout = entries
        .take_expr("default_timeout")
        .and_then(|(key, expr)| DurationValue::check(&key, expr, NO_ANSWER, found));
    Some(Plan {
        krate,
        provider,
        named: named.unwrap_or_default(),
        default_at_most: default_at_most?,
        default_at_least,
        default_timeout,
    })
}

fn missing(key: &str, example: &str, found: &mut Diagnostics) {
    // There is no token to point at: the place is the call itself.
    found.error_at(
        Span::call_site(),
        format_args!("missing `{key}`; write `{example}`"),
    );
}

fn check_names(rows: &[(LitStr, Expr)], found: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for (name, _) in rows {
        let text = name.value();
        if text.is_empty() {
            found.error(
                name,
                "the provider's name is empty; give it one, such as `\"reports\"`",
            );
        } else if !seen.insert(text.clone()) {
            found.error(
                name,
                format_args!("duplicate provider `\"{text}\"`; each name is given once"),
            );
        }
    }
}

fn expand(plan: &Plan) -> TokenStream {
    let krate = &plan.krate;
    let private = quote!(#krate::__private);
    let provider = plan.provider.iter();
    let names = plan.named.iter().map(|(name, _)| name);
    let exprs = plan.named.iter().map(|(_, expr)| expr);
    let at_most = plan.default_at_most.expand(&private);
    let at_least = plan
        .default_at_least
        .iter()
        .map(|value| value.expand(&private));
    let timeout = plan
        .default_timeout
        .iter()
        .map(|value| value.expand(&private));
    quote! {
        #private::install(
            #krate::SchedulerLock::builder()
                #(.provider(#provider))*
                #(.named_provider(#names, #exprs))*
                .default_at_most(#at_most)
                #(.default_at_least(#at_least))*
                #(.default_timeout(#timeout))*
        )
    }
}
