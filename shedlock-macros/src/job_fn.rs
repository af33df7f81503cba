//! The annotated function, as far as we need to know it.
//!
//! The body stays a token stream: a typing error in it is for rustc to explain, not for us.

use crate::diagnostics::Diagnostics;
use crate::name::Scope;
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::visit::Visit;
use syn::{
    Attribute, FnArg, GenericParam, PatIdent, ReturnType, Safety, Signature, Token, Type,
    Visibility,
};

mod entry;
mod output;

pub(crate) use output::Output;

/// A function item.
pub(crate) struct JobFn {
    /// Outer attributes, without ours.
    pub(crate) attrs: Vec<Attribute>,
    /// Attributes at the top of the body; they must stay the first thing in a block.
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
    pub(crate) body_span: Span,
}

/// What kind of future the function makes, and from which of its tokens.
pub(crate) enum Shape {
    /// `async fn`.
    Async,
    /// A plain `fn` that returns a future; the type is there where the body must be coerced to it.
    Future { boxed: Option<Type> },
    /// What `#[tokio::main]` or `#[tokio::test]` has already made of an `async fn`.
    Entry(entry::Entry),
}

impl Parse for JobFn {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        if let Some(error) = not_a_function(input) {
            return Err(error);
        }
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(syn::Error::new_spanned(
                &sig.ident,
                format_args!(
                    "`{}` has no body to lock; annotate the method in the `impl` block",
                    sig.ident
                ),
            ));
        }
        let content;
        let braces = syn::braced!(content in input);
        Ok(Self {
            attrs,
            inner_attrs: content.call(Attribute::parse_inner)?,
            vis,
            sig,
            body: content.parse()?,
            body_span: braces.span.join(),
        })
    }
}

/// Says what stands here, if it is not a function.
fn not_a_function(input: ParseStream<'_>) -> Option<syn::Error> {
    let tokens: TokenStream = input.fork().parse().ok()?;
    let head = || {
        let tokens = tokens.clone().into_iter();
        tokens.take_while(|token| !matches!(token, TokenTree::Group(_)))
    };
    if head().any(|token| matches!(&token, TokenTree::Ident(ident) if ident == "fn")) {
        return None;
    }
    let what = head().find_map(|token| {
        let TokenTree::Ident(ident) = token else {
            return None;
        };
        let words = match ident.to_string().as_str() {
            "struct" => "a struct",
            "enum" => "an enum",
            "union" => "a union",
            "impl" => "an `impl` block",
            "trait" => "a trait",
            "mod" => "a module",
            "static" => "a static",
            "const" => "a constant",
            "type" => "a type alias",
            "use" => "an import",
            "macro_rules" => "a macro",
            _ => return None,
        };
        Some((ident, words))
    });
    let fix = "put `#[scheduler_lock]` on each `async fn` to lock";
    Some(match what {
        Some((keyword, words)) => syn::Error::new_spanned(
            keyword,
            format_args!("expected an `async fn`, found {words}; {fix}"),
        ),
        None => input.error(format_args!("expected an `async fn`; {fix}")),
    })
}

impl JobFn {
    /// Takes a second `#[scheduler_lock]` off the function: one lock guards one function.
    pub(crate) fn refuse_second_lock(&mut self, found: &mut Diagnostics) {
        self.attrs.retain(|attr| {
            let again = attr
                .path()
                .segments
                .last()
                .is_some_and(|segment| segment.ident == "scheduler_lock");
            if again {
                found.error(
                    attr.path(),
                    "second `#[scheduler_lock]` on one function; call a locked function from \
                     another to hold both locks",
                );
            }
            !again
        });
    }

    /// Finds out how to put the body under a lock.
    pub(crate) fn classify(&self, found: &mut Diagnostics) -> Option<(Shape, Output)> {
        let sig = &self.sig;
        let name = &sig.ident;
        if let Some(constness) = &sig.constness {
            found.error(
                constness,
                format_args!("`{name}` is a `const fn`; a lock is taken at run time: drop `const`"),
            );
            return None;
        }
        if let Some(abi) = &sig.abi {
            found.error(
                abi,
                format_args!(
                    "`{name}` is an `extern` function; lock an `async fn` and call it from here"
                ),
            );
            return None;
        }
        if let Some(variadic) = &sig.variadic {
            found.error(variadic, "a variadic function cannot be locked");
            return None;
        }
        if matches!(sig.safety, Safety::Safe(_)) {
            found.error(name, "a foreign function cannot be locked");
            return None;
        }
        if let ReturnType::Type(_, ty) = &sig.output
            && matches!(**ty, Type::Never(_))
        {
            found.error(
                ty,
                "`!` leaves a skipped call nothing to return; let the function return `()`",
            );
            return None;
        }
        if sig.asyncness.is_some() {
            return Some((Shape::Async, Output::of(&sig.output, self.body_span)));
        }
        if let Some((output, boxed)) = Output::of_future(&sig.output) {
            return Some((Shape::Future { boxed }, output));
        }
        if let Some(entry) = entry::Entry::find(&self.body) {
            return Some((Shape::Entry(entry), Output::of(&sig.output, self.body_span)));
        }
        found.error(
            sig.fn_token,
            format_args!(
                "`{name}` is not async; make it an `async fn`, with blocking work in \
                 `tokio::task::spawn_blocking`"
            ),
        );
        None
    }

    /// Whether a process calls it once: a `main` or a test.
    pub(crate) fn runs_once(&self, shape: &Shape) -> bool {
        let is_entry = |attr: &Attribute| {
            let name = attr.path().segments.last();
            name.is_some_and(|segment| segment.ident == "main" || segment.ident == "test")
        };
        matches!(shape, Shape::Entry(_)) || self.attrs.iter().any(is_entry)
    }

    /// What a name template may use.
    pub(crate) fn scope(&self) -> Scope {
        let mut bindings = Bindings::default();
        for input in &self.sig.inputs {
            if let FnArg::Typed(argument) = input {
                bindings.visit_pat(&argument.pat);
            }
        }
        for param in &self.sig.generics.params {
            if let GenericParam::Const(param) = param {
                bindings.0.push(param.ident.clone());
            }
        }
        Scope {
            bindings: bindings.0,
            receiver: self.sig.receiver().map(|receiver| receiver.self_token),
        }
    }

    /// The whole item with `body` in place of what the user wrote.
    pub(crate) fn with_body(&self, body: &Group) -> TokenStream {
        let Self {
            attrs, vis, sig, ..
        } = self;
        quote::quote!(#(#attrs)* #vis #sig #body)
    }

    /// The whole item as it was written.
    pub(crate) fn as_written(&self) -> TokenStream {
        let (inner_attrs, body) = (&self.inner_attrs, &self.body);
        let body = quote::quote_spanned!(self.body_span=> { #(#inner_attrs)* #body });
        let Self {
            attrs, vis, sig, ..
        } = self;
        quote::quote!(#(#attrs)* #vis #sig #body)
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Bindings(Vec<Ident>);

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        self.0.push(pat.ident.clone());
        if let Some((_, subpattern)) = &pat.subpat {
            self.visit_pat(subpattern);
        }
    }
}
