//! `key = value, ..` lists: what both macros with keys have in common.
//!
//! Unknown and repeated keys, missing values and missing commas are found here, once. A broken
//! entry does not end the list: what follows the next comma is read as well.

use crate::diagnostics::{Diagnostics, closest};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Token};

/// What may follow a key.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// `key = value`.
    Value,
    /// `key` or `key = value`.
    FlagOrValue,
    /// `key = { "name" = value, .. }`.
    Table,
}

/// A key that a macro takes.
pub(crate) struct KeySpec {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// A whole entry, for messages: `name = "nightly_report"`.
    pub(crate) example: &'static str,
    /// Names that the same thing has elsewhere, first of all in ShedLock for the JVM.
    pub(crate) aliases: &'static [&'static str],
}

/// The value of one entry.
pub(crate) enum Value {
    Flag,
    Expr(Expr),
    Table(Vec<(LitStr, Expr)>),
}

/// One key and what was given for it.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// The entries of one invocation.
#[derive(Default)]
pub(crate) struct Entries {
    complete: Vec<Entry>,
    /// Keys that stand in the list, also those whose value was unreadable.
    mentioned: Vec<&'static str>,
}

impl Entries {
    /// Takes the entry of `key` out of the list.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.complete.iter().position(|entry| entry.key == key)?;
        Some(self.complete.swap_remove(index))
    }

    /// Takes the entry of `key`, when it has an expression.
    pub(crate) fn take_expr(&mut self, key: &str) -> Option<(Ident, Expr)> {
        match self.take(key)? {
            Entry {
                key,
                value: Value::Expr(expr),
            } => Some((key, expr)),
            _ => None,
        }
    }

    /// Whether the user wrote `key`, however badly: then nothing may call it missing.
    pub(crate) fn mentions(&self, key: &str) -> bool {
        self.mentioned.contains(&key)
    }

    /// Reads a whole list.
    pub(crate) fn parse(tokens: TokenStream, keys: &[KeySpec], found: &mut Diagnostics) -> Self {
        let mut entries = Self::default();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = entries.parse_entry(input, keys, found) {
                    found.absorb(error);
                    skip_to_comma(input)?;
                }
                finish_entry(input, found)?;
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            found.absorb(error);
        }
        entries
    }

    fn parse_entry(
        &mut self,
        input: ParseStream<'_>,
        keys: &[KeySpec],
        found: &mut Diagnostics,
    ) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            if input.peek(syn::Lit) {
                // A value alone is taken for the first key's, which is then not missing.
                self.mentioned.extend(keys.first().map(|spec| spec.name));
            }
            return Err(not_a_key(input, keys));
        }
        let key = input.call(Ident::parse_any)?;
        let Some(spec) = keys.iter().find(|spec| key == spec.name) else {
            return Err(self.unknown(&key, keys));
        };
        let repeated = self.mentions(spec.name);
        self.mentioned.push(spec.name);
        if repeated {
            found.error(&key, format_args!("duplicate `{key}`; it is given once"));
        }
        let value = parse_value(input, &key, spec)?;
        if !repeated {
            self.complete.push(Entry { key, value });
        }
        Ok(())
    }

    fn unknown(&mut self, key: &Ident, keys: &[KeySpec]) -> syn::Error {
        let written = key.to_string();
        let same = |alias: &str| {
            alias
                .replace('_', "")
                .eq_ignore_ascii_case(&plain(&written))
        };
        let near = keys
            .iter()
            .find(|spec| spec.name.replace('_', "") == plain(&written))
            .or_else(|| {
                keys.iter()
                    .find(|spec| spec.aliases.iter().any(|alias| same(alias)))
            })
            .map(|spec| spec.name)
            .or_else(|| closest(&written, keys.iter().map(|spec| spec.name)));
        // A slip in `name` must not be followed by "missing `name`".
        let name = near.and_then(|near| keys.iter().find(|spec| spec.name == near));
        self.mentioned.extend(name.map(|spec| spec.name));
        let fix = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys are {}", list(keys)),
        };
        syn::Error::new_spanned(key, format_args!("unknown key `{written}`; {fix}"))
    }
}

/// The letters of a key without what tells `atMost` from `at_most`.
fn plain(key: &str) -> String {
    key.replace('_', "").to_ascii_lowercase()
}

fn list(keys: &[KeySpec]) -> String {
    let names: Vec<String> = keys.iter().map(|spec| format!("`{}`", spec.name)).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn not_a_key(input: ParseStream<'_>, keys: &[KeySpec]) -> syn::Error {
    let first = keys.first().map_or("", |spec| spec.example);
    input.error(format_args!("expected a key; write `{first}`"))
}

fn parse_value(input: ParseStream<'_>, key: &Ident, spec: &KeySpec) -> syn::Result<Value> {
    let example = spec.example;
    if input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new_spanned(
                equals,
                format_args!("`{key}` has no value; write `{example}`"),
            ));
        }
        if spec.form == Form::Table {
            return parse_table(input, key, example);
        }
        let ahead = input.fork();
        let expr: Expr = ahead.parse()?;
        input.advance_to(&ahead);
        return Ok(Value::Expr(expr));
    }
    if input.is_empty() || input.peek(Token![,]) {
        return match spec.form {
            Form::FlagOrValue => Ok(Value::Flag),
            Form::Value | Form::Table => Err(syn::Error::new_spanned(
                key,
                format_args!("`{key}` has no value; write `{example}`"),
            )),
        };
    }
    Err(input.error(format_args!(
        "expected `=` after `{key}`; write `{example}`"
    )))
}

fn parse_table(input: ParseStream<'_>, key: &Ident, example: &str) -> syn::Result<Value> {
    if !input.peek(syn::token::Brace) {
        let message = format_args!("`{key}` is a table in braces; write `{example}`");
        return Err(input.error(message));
    }
    let content;
    syn::braced!(content in input);
    let rows = content.parse_terminated(Row::parse, Token![,]);
    if rows.is_err() {
        // What is left over would be reported as a second error.
        content.parse::<TokenStream>()?;
    }
    let rows = rows?;
    let rows = rows.into_iter().map(|Row(name, value)| (name, value));
    Ok(Value::Table(rows.collect()))
}

/// `"name" = value`.
struct Row(LitStr, Expr);

impl Parse for Row {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            return Err(input.error("expected a name in quotes; write `\"reports\" = provider`"));
        }
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self(name, input.parse()?))
    }
}

/// Takes the comma after an entry; where it is missing, goes on as if it were there.
fn finish_entry(input: ParseStream<'_>, found: &mut Diagnostics) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if input.peek(Token![,]) {
        return input.parse::<Token![,]>().map(drop);
    }
    if input.peek(Ident::peek_any) {
        found.absorb(input.error("expected `,` before the next key"));
        return Ok(());
    }
    found.absorb(input.error("expected `,` or the end"));
    skip_to_comma(input)?;
    finish_entry(input, found)
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// The string of a literal expression, also of one that came through a `macro_rules` variable.
pub(crate) fn literal(expr: &Expr) -> Option<&syn::Lit> {
    match expr {
        Expr::Lit(literal) if literal.attrs.is_empty() => Some(&literal.lit),
        Expr::Group(group) => self::literal(&group.expr),
        _ => None,
    }
}

/// Whether `expr` is a number with a minus sign.
pub(crate) fn is_negative_number(expr: &Expr) -> bool {
    match expr {
        Expr::Unary(unary) => {
            matches!(unary.op, syn::UnOp::Neg(_)) && literal(&unary.expr).is_some()
        }
        Expr::Group(group) => is_negative_number(&group.expr),
        _ => false,
    }
}

/// The tokens of `tokens` as the user would recognise them.
pub(crate) fn source(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string()
}
