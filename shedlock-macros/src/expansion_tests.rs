//! What the macros write, formatted: one snapshot per shape in `tests/snapshots`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p shedlock-macros` writes them anew.

use crate::{assert, enable, scheduler_lock};
use proc_macro2::TokenStream;
use quote::quote;
use std::path::Path;
use std::{env, fs};

fn format(item: TokenStream) -> String {
    let file = syn::parse2(item).expect("the expansion is not a file");
    prettyplease::unparse(&file)
}

fn format_call(call: &TokenStream) -> String {
    format(quote!(fn main() { #call }))
}

fn locked(args: TokenStream, item: &TokenStream) -> String {
    format(scheduler_lock::scheduler_lock(args, item))
}

/// Compares with the snapshot `name`, and gives back what was compared.
fn check(name: &str, expansion: String) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name)
        .with_extension("rs");
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &expansion).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expansion, recorded, "{} is out of date", path.display());
    expansion
}

#[test]
fn plain_function_is_at_most_forty_lines() {
    let args = quote!(name = "nightly_report", at_most = "10m", at_least = "14m");
    let expansion = locked(
        args,
        &quote! {
            async fn nightly_report() {
                work().await;
            }
        },
    );
    let expansion = check("plain_function", expansion);
    let lines = expansion.lines().count();
    assert!(lines <= 40, "{lines} lines");
}

#[test]
fn every_key() {
    let args = quote! {
        wait = "5s", timeout = "30s", on_lost = "notify", keep_alive = "20s", provider = &self.locks,
        on_error = Report::failed(error), on_skip = Report::skipped(reason),
        at_least = "0s", at_most = self.lease, name = "sync-{tenant:>8}-{self.region}",
        crate = ::platform::locks
    };
    let item = quote! {
        /// Documented.
        #[instrument]
        pub(crate) async fn sync<T: Send>(&self, tenant: T) -> Report where T: Display {
            #![allow(unused)]
            Report::done(tenant)
        }
    };
    check("every_key", locked(args, &item));
}

#[test]
fn on_skip_stands_for_a_store_error_too() {
    let args = quote!(name = "report", on_skip = Report::skipped(reason));
    let item = quote!(
        async fn report() -> Report {
            Report::done()
        }
    );
    check("on_skip", locked(args, &item));
}

#[test]
fn future_of_a_plain_function() {
    let item = quote! {
        fn job(count: u32) -> impl Future<Output = Option<u32>> + Send {
            let doubled = count * 2;
            async move { Some(doubled) }
        }
    };
    check("impl_future", locked(quote!(name = "job"), &item));
}

#[test]
fn method_after_async_trait() {
    let item = quote! {
        fn job<'life0, 'async_trait>(
            &'life0 self,
        ) -> ::core::pin::Pin<
            Box<dyn ::core::future::Future<Output = Option<u32>> + ::core::marker::Send + 'async_trait>,
        >
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async move {
                let __self = self;
                Some(__self.count)
            })
        }
    };
    check("async_trait", locked(quote!(name = NAME), &item));
}

#[test]
fn function_after_tokio_test() {
    let item = quote! {
        #[::core::prelude::v1::test]
        fn job() {
            let body = async { work().await };
            tokio::pin!(body);
            {
                return runtime().block_on(body);
            }
        }
    };
    check("tokio_entry", locked(quote!(name = "job"), &item));
}

#[test]
fn enabled() {
    let tokens = quote! {
        providers = { "reports" = reports(), "mails" = mails },
        default_at_least = "0s", default_timeout = "30s", provider = provider, default_at_most = "10m",
    };
    let expansion = enable::enable_scheduler_lock(tokens);
    check("enable", format_call(&expansion));
}

#[test]
fn asserted() {
    let calls = [
        quote!(),
        quote!("nightly_report"),
        quote!("sync-{tenant}-{self.region}"),
        quote!(NAME),
        quote!(crate = ::platform::locks),
    ];
    let calls = calls.map(assert::lock_assert);
    check("lock_assert", format_call(&quote!(#(#calls;)*)));
}

#[test]
fn incomplete_bodies_are_left_alone() {
    let item = quote!(async fn job() { let report = ; });
    let expansion = scheduler_lock::scheduler_lock(quote!(name = "job"), &item).to_string();
    assert!(expansion.contains("let report = ;"), "{expansion}");
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn the_item_is_emitted_with_the_errors() {
    let item = quote!(
        /// Documented.
        pub async fn job(count: u32) -> u32 {
            #![allow(unused)]
            count
        }
    );
    let expansion = scheduler_lock::scheduler_lock(quote!(nmae = "job", at_most = "0s"), &item);
    let expansion = expansion.to_string();
    assert_eq!(expansion.matches("compile_error").count(), 2, "{expansion}");
    assert!(expansion.ends_with(&item.to_string()), "{expansion}");
}

#[test]
fn order_of_keys_does_not_matter() {
    let item = quote!(
        async fn job() {}
    );
    let keys = [
        quote!(name = "job"),
        quote!(at_most = "1m"),
        quote!(at_least = "1s"),
        quote!(keep_alive),
        quote!(on_lost = "cancel"),
    ];
    let expected = locked(quote!(#(#keys),*), &item);
    for first in 0..keys.len() {
        let mut keys = keys.clone();
        keys.rotate_left(first);
        assert_eq!(locked(quote!(#(#keys,)*), &item), expected);
    }
}
