//! From a checked plan to tokens; nothing can go wrong here.
//!
//! Three rules keep the expansion out of the user's sight. Names of ours have mixed-site spans, so
//! the body cannot see them. Braces of ours are located at the user's code but not resolved there,
//! so that lints do not take them for the user's. The body itself keeps its spans, and its type is
//! stated by an edge that never runs, so that a type error points into the body.

use super::validate::{JobName, KeepAlive, OnLost, Plan, Provider};
use crate::job_fn::{JobFn, Shape};
use crate::name::Name;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

mod answers;

use answers::{Answers, answers};

/// The function with its body under the lock.
pub(super) fn expand(job_fn: &JobFn, plan: &Plan) -> TokenStream {
    let span = hidden(job_fn.body_span);
    let inner_attrs = &job_fn.inner_attrs;
    let private = private(plan);
    let body = match &plan.shape {
        Shape::Async => locked(plan, span, &with_edge(plan, span, &job_fn.body)),
        Shape::Future { boxed } => {
            let user = &job_fn.body;
            let annotation = boxed.as_ref().map(|ty| quote!(-> #ty));
            // The closure keeps `return` in the block what it was: the return of a future.
            let future = quote_spanned!(span=> (move || #annotation { #user })().await);
            let run = locked(plan, span, &future);
            let future = quote_spanned!(span=> async move { #run });
            match boxed {
                Some(_) => quote_spanned!(span=> #private::std::boxed::Box::pin(#future)),
                None => future,
            }
        }
        Shape::Entry(entry) => {
            let user = with_edge(plan, span, &entry.block.stream());
            entry.with_block(&braces(span, locked(plan, span, &user)))
        }
    };
    job_fn.with_body(&braces(span, quote!(#(#inner_attrs)* #body)))
}

/// Located at the user's code, but none of it.
fn hidden(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

fn braces(span: Span, stream: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, stream);
    group.set_span(span);
    group
}

fn private(plan: &Plan) -> TokenStream {
    let krate = &plan.krate;
    quote!(#krate::__private)
}

/// The call into the runtime, with `body` inside the future that holds the lock.
fn locked(plan: &Plan, span: Span, body: &TokenStream) -> TokenStream {
    let private = private(plan);
    let job = job(plan, &private);
    let ty = &plan.output.ty;
    let Answers {
        run,
        on_skip,
        on_error,
    } = answers(plan, span, &private);
    let error_of = error_of(plan, &private);
    let answer_type = (plan.on_skip.is_some() && plan.on_error.is_none())
        .then(|| quote_spanned!(span=> let answer_type = #private::answer_type(&body);));
    // The job is bound first: what its values borrow for a moment must not live across the await. The body is pinned here,
    // because the future of an async function keeps an argument apart from what is made of it: the body would be in it twice.
    // What is returned is bound, because what else is in a tail expression would be dropped after the job in edition 2021.
    quote_spanned! {span=>
        let job = #job;
        let body = #private::body::<#ty, _>(async move { #body });
        #answer_type
        let returned = #private::#run(&job, #private::core::pin::pin!(body), #on_skip, #on_error, #error_of).await;
        returned
    }
}

/// The body, and before it a `return` that states its type.
fn with_edge(plan: &Plan, span: Span, body: &TokenStream) -> TokenStream {
    if plan.output.is_inferred() {
        return body.clone();
    }
    let private = private(plan);
    let ty = &plan.output.ty;
    let at_type = hidden(plan.output.span);
    let value = Ident::new("value", at_type);
    let give_back = quote_spanned!(at_type=> return #value;);
    quote_spanned! {span=>
        if let #private::core::option::Option::Some(#value) =
            #private::core::option::Option::None::<#ty>
        {
            #give_back
        }
        #body
    }
}

/// The value that describes the lock to the runtime.
fn job(plan: &Plan, private: &TokenStream) -> TokenStream {
    let mut job = match &plan.name {
        JobName::Checked(Name::Fixed(name)) => quote!(#private::Job::named(#name)),
        JobName::Checked(Name::Template(template)) => {
            let (arguments, label) = (template.format_arguments(), template.label());
            quote!(#private::Job::formatted(#private::core::format_args!(#arguments), #label))
        }
        JobName::Expr(expr) => {
            // Borrowed, so that an argument may still move into the body.
            let borrowed = quote_spanned!(hidden(expr.span())=> &(#expr));
            quote!(#private::Job::named_by(#borrowed))
        }
    };
    let durations = [
        ("at_most", &plan.at_most),
        ("at_least", &plan.at_least),
        ("wait", &plan.wait),
        ("timeout", &plan.timeout),
    ];
    for (setter, duration) in durations {
        if let Some(duration) = duration {
            let setter = Ident::new(setter, Span::mixed_site());
            let duration = duration.expand(private);
            job.extend(quote!(.#setter(#duration)));
        }
    }
    job.extend(match &plan.provider {
        Some(Provider::Named(name)) => quote!(.provider_named(#name)),
        Some(Provider::Expr(expr)) => {
            let converted = quote_spanned!(hidden(expr.span())=> (#expr).__shedlock_provider());
            quote!(.provider({ use #private::ToProvider as _; #converted }))
        }
        None => TokenStream::new(),
    });
    job.extend(match &plan.keep_alive {
        Some(KeepAlive::Default) => quote!(.keep_alive()),
        Some(KeepAlive::Every(period)) => {
            let period = period.expand(private);
            quote!(.keep_alive_every(#period))
        }
        None => TokenStream::new(),
    });
    job.extend(match plan.on_lost {
        Some(OnLost::Cancel) => quote!(.on_lost_cancel()),
        Some(OnLost::Notify) => quote!(.on_lost_notify()),
        None => TokenStream::new(),
    });
    job.extend(plan.position.expand(private));
    job
}

/// The error that the body returned, if any.
fn error_of(plan: &Plan, private: &TokenStream) -> TokenStream {
    if !plan.output.may_be_a_result() {
        return quote!(|_| #private::core::option::Option::None);
    }
    quote_spanned! {hidden(plan.output.span)=>
        |value| {
            use #private::{IsNoResult as _, IsResult as _, IsShownResult as _};
            (&&#private::Returned(value)).__shedlock_error()
        }
    }
}
