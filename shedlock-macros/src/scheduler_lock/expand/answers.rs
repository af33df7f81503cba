//! What a call returns whose body did not run: `on_skip` and `on_error`, or what the return type says.

use super::super::validate::Plan;
use super::{hidden, with_edge};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAsync, ExprAwait, ExprClosure, Item, Macro};

/// Two closures, and the function of the runtime that takes them.
pub(super) struct Answers {
    pub(super) run: Ident,
    pub(super) on_skip: TokenStream,
    pub(super) on_error: TokenStream,
}

/// Closures that give values; or futures, if one of the user's expressions awaits.
pub(super) fn answers(plan: &Plan, span: Span, private: &TokenStream) -> Answers {
    let given = [&plan.on_skip, &plan.on_error];
    if given.into_iter().flatten().any(awaits) {
        return Answers {
            run: Ident::new("run_then", Span::mixed_site()),
            on_skip: future_on_skip(plan, span, private),
            on_error: future_on_error(plan, span, private),
        };
    }
    Answers {
        run: Ident::new("run", Span::mixed_site()),
        on_skip: on_skip(plan, private),
        on_error: on_error(plan, span, private),
    }
}

/// What a skipped call returns.
fn on_skip(plan: &Plan, private: &TokenStream) -> TokenStream {
    if let Some(expr) = &plan.on_skip {
        let reason = users_own("reason", expr);
        return quote!(|#[allow(unused_variables)] #reason| #expr);
    }
    let ty = &plan.output.ty;
    quote_spanned!(hidden(plan.output.span)=> |reason| #private::skip_value::<#ty>(reason))
}

/// What a call returns whose store failed.
fn on_error(plan: &Plan, span: Span, private: &TokenStream) -> TokenStream {
    if let Some(expr) = &plan.on_error {
        let error = users_own("error", expr);
        return quote!(|#[allow(unused_variables)] #error| #expr);
    }
    if let Some(expr) = &plan.on_skip {
        let reason = users_own("reason", expr);
        let answered = by_type(plan, private);
        return quote_spanned! {span=>
            |error| #answered.unwrap_or_else(|error| {
                #private::report_store_error(&error);
                #[allow(unused_variables)]
                let #reason = &#private::skip_reason(&error);
                #expr
            })
        };
    }
    let ty = &plan.output.ty;
    quote_spanned!(hidden(plan.output.span)=> |error| #private::error_value::<#ty>(error))
}

/// What a skipped call awaits and returns. The reason is copied, because the future outlives what it was borrowed from.
fn future_on_skip(plan: &Plan, span: Span, private: &TokenStream) -> TokenStream {
    if let Some(expr) = &plan.on_skip {
        let user = users_future("reason", &quote_spanned!(span=> &reason), expr, plan, span);
        return quote_spanned!(span=> |reason| #user);
    }
    let ty = &plan.output.ty;
    quote_spanned! {hidden(plan.output.span)=>
        |reason| #private::core::future::ready(#private::skip_value::<#ty>(&reason))
    }
}

/// What a call awaits and returns whose store failed.
fn future_on_error(plan: &Plan, span: Span, private: &TokenStream) -> TokenStream {
    if let Some(expr) = &plan.on_error {
        let user = users_future("error", &quote_spanned!(span=> error), expr, plan, span);
        return quote_spanned!(span=> |error| #user);
    }
    if let Some(expr) = &plan.on_skip {
        let user = users_future("reason", &quote_spanned!(span=> &reason), expr, plan, span);
        let answered = by_type(plan, private);
        return quote_spanned! {span=>
            |error| {
                let answered = #answered;
                async move {
                    let error = match answered {
                        #private::core::result::Result::Ok(value) => return value,
                        #private::core::result::Result::Err(error) => error,
                    };
                    #private::report_store_error(&error);
                    let reason = #private::skip_reason(&error);
                    #user.await
                }
            }
        };
    }
    let ty = &plan.output.ty;
    quote_spanned! {hidden(plan.output.span)=>
        |error| #private::core::future::ready(#private::error_value::<#ty>(error))
    }
}

/// A future of the user's expression, which sees `value` as `name`.
fn users_future(
    name: &str,
    value: &TokenStream,
    expr: &Expr,
    plan: &Plan,
    span: Span,
) -> TokenStream {
    let name = users_own(name, expr);
    let body = with_edge(plan, span, &quote!(#expr));
    quote_spanned! {span=>
        async move {
            #[allow(unused_variables)]
            let #name = #value;
            #body
        }
    }
}

/// The value for a store error of a type that has a place for errors, or the error: then `on_skip` says what the call returns.
fn by_type(plan: &Plan, private: &TokenStream) -> TokenStream {
    quote_spanned! {hidden(plan.output.span)=>
        {
            use #private::{IsErrorValue as _, IsNoErrorValue as _, IsResultType as _};
            (&&answer_type).__shedlock_store_error(error)
        }
    }
}

/// A variable that the user's expression sees, although the closure around it is ours.
fn users_own(name: &str, expr: &Expr) -> Ident {
    let written = quote!(#expr);
    Ident::new(name, find(name, &written).unwrap_or_else(|| expr.span()))
}

/// Where `name` is used: the span to resolve it by when the expression came through other macros.
fn find(name: &str, tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == name => Some(ident.span()),
        TokenTree::Group(group) => find(name, &group.stream()),
        _ => None,
    })
}

/// Whether `expr` itself awaits, and not only an async block or a closure in it.
fn awaits(expr: &Expr) -> bool {
    let mut awaits = Awaits(false);
    awaits.visit_expr(expr);
    awaits.0
}

struct Awaits(bool);

impl<'ast> Visit<'ast> for Awaits {
    fn visit_expr_await(&mut self, _: &'ast ExprAwait) {
        self.0 = true;
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        // Its tokens may mean anything; a future serves as well as a value.
        self.0 |= find("await", &mac.tokens).is_some();
        visit::visit_macro(self, mac);
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}
