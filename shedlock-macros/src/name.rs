//! Lock names: plain literals and templates such as `"sync-{tenant}"`.

use crate::diagnostics::{Diagnostics, closest};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::ext::IdentExt as _;

mod template;

use template::{Piece, Placeholder};

/// The names that a template may use, and how they were written.
pub(crate) struct Scope {
    /// Arguments, bindings of destructured arguments and const parameters.
    pub(crate) bindings: Vec<Ident>,
    /// The receiver, if there is one.
    pub(crate) receiver: Option<syn::Token![self]>,
}

/// A checked name.
pub(crate) enum Name {
    /// The same at every call.
    Fixed(LitStr),
    /// Formatted at every call.
    Template(Template),
}

/// A literal with placeholders.
pub(crate) struct Template {
    literal: LitStr,
    format: String,
    values: Vec<TokenStream>,
}

impl Template {
    /// The template as the user wrote it: the label under which all its names are counted.
    ///
    /// Not the user's own token, or clippy takes it for a format string that was forgotten.
    pub(crate) fn label(&self) -> LitStr {
        let span = Span::mixed_site().located_at(self.literal.span());
        LitStr::new(&self.literal.value(), span)
    }

    /// The arguments of `format_args!`.
    pub(crate) fn format_arguments(&self) -> TokenStream {
        let mut format = Literal::string(&self.format);
        format.set_span(self.literal.span());
        let values = &self.values;
        quote!(#format #(, #values)*)
    }
}

/// Checks a name literal. Without a `scope` the compiler finds out what a placeholder names.
pub(crate) fn check(
    literal: LitStr,
    scope: Option<&Scope>,
    found: &mut Diagnostics,
) -> Option<Name> {
    let text = literal.value();
    if text.is_empty() {
        found.error(
            &literal,
            "the lock name is empty; name the job, such as `\"nightly_report\"`",
        );
        return None;
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        found.error(
            &literal,
            format_args!(
                "the lock name contains the control character `{}`; names are printable text",
                control.escape_default()
            ),
        );
        return None;
    }
    let pieces = match template::split(&text) {
        Ok(pieces) => pieces,
        Err(message) => {
            found.error(&literal, message);
            return None;
        }
    };
    resolve(literal, &pieces, scope, found)
}

fn resolve(
    literal: LitStr,
    pieces: &[Piece<'_>],
    scope: Option<&Scope>,
    found: &mut Diagnostics,
) -> Option<Name> {
    let span = literal.span();
    let mut format = String::new();
    let mut plain = String::new();
    let mut values = Vec::new();
    let mut sound = true;
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                plain.push_str(text);
                format.push_str(&text.replace('{', "{{").replace('}', "}}"));
            }
            Piece::Placeholder(placeholder) => match value(placeholder, scope, span) {
                Ok(value) => {
                    let (index, spec) = (values.len(), placeholder.spec);
                    format.extend(["{", &index.to_string(), spec, "}"]);
                    values.push(value);
                }
                Err(message) => {
                    sound = false;
                    found.error(&literal, message);
                }
            },
        }
    }
    if !sound {
        return None;
    }
    if values.is_empty() {
        return Some(Name::Fixed(LitStr::new(&plain, span)));
    }
    Some(Name::Template(Template {
        literal,
        format,
        values,
    }))
}

/// The expression that a placeholder stands for.
fn value(
    placeholder: &Placeholder<'_>,
    scope: Option<&Scope>,
    span: Span,
) -> Result<TokenStream, String> {
    let root = match scope {
        Some(scope) => root(placeholder.root, scope, span)?,
        None if placeholder.root == "self" => quote_spanned!(span=> self),
        None => {
            let ident = ident(placeholder.root, span);
            quote!(#ident)
        }
    };
    let fields = placeholder.fields.iter().map(|field| {
        if let Ok(index) = field.parse::<u32>() {
            let mut index = Literal::u32_unsuffixed(index);
            index.set_span(span);
            quote_spanned!(span=> .#index)
        } else {
            let field = ident(field, span);
            quote_spanned!(span=> .#field)
        }
    });
    Ok(quote!(#root #(#fields)*))
}

/// The first segment, resolved as the argument it names and located at the literal.
fn root(name: &str, scope: &Scope, span: Span) -> Result<TokenStream, String> {
    if name == "self" {
        return match scope.receiver {
            Some(receiver) => {
                let span = receiver.span.located_at(span);
                Ok(quote_spanned!(span=> self))
            }
            None => Err("there is no `self` in this function; name one of its arguments".into()),
        };
    }
    let argument = scope.bindings.iter().find(|ident| ident.unraw() == name);
    if let Some(argument) = argument {
        let mut argument = argument.clone();
        argument.set_span(argument.span().located_at(span));
        return Ok(quote!(#argument));
    }
    if is_constant(name) {
        // Of the module, or a parameter of the `impl` around: only the compiler can know.
        let constant = ident(name, span);
        return Ok(quote!(#constant));
    }
    Err(format!(
        "there is no argument `{name}`; {}",
        fix(name, scope)
    ))
}

/// Whether `name` is written as constants and const parameters are.
fn is_constant(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
        && name
            .chars()
            .all(|c| c.is_uppercase() || c.is_numeric() || c == '_')
}

fn fix(name: &str, scope: &Scope) -> String {
    let known: Vec<String> = scope
        .bindings
        .iter()
        .map(|ident| ident.unraw().to_string())
        .collect();
    if known.iter().any(|name| name.starts_with("__arg")) {
        // What `#[async_trait]` calls an argument whose pattern it has moved into the body.
        return "`#[async_trait]` hides the parts of a destructured argument: destructure it in \
                the body"
            .to_owned();
    }
    match closest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() && scope.receiver.is_some() => {
            format!("did you mean `{{self.{name}}}`?")
        }
        None if known.is_empty() => {
            format!("write `{{{{{name}}}}}` for the braces themselves")
        }
        None => format!("the arguments are `{}`", known.join("`, `")),
    }
}

fn ident(name: &str, span: Span) -> Ident {
    // Keywords as field names are written raw in Rust, but not in a format string.
    if syn::parse_str::<Ident>(name).is_ok() {
        Ident::new(name, span)
    } else {
        Ident::new_raw(name, span)
    }
}

#[cfg(test)]
mod tests;
