//! Names that are taken, and the words of refusals.

use super::{Name, Scope, check};
use crate::diagnostics::Diagnostics;
use proc_macro2::Span;
use quote::format_ident;
use syn::LitStr;

fn scope() -> Scope {
    Scope {
        bindings: vec![format_ident!("tenant"), format_ident!("r#type")],
        receiver: Some(<syn::Token![self]>::default()),
    }
}

fn checked(text: &str) -> Result<String, String> {
    let mut found = Diagnostics::default();
    let literal = LitStr::new(text, Span::call_site());
    match check(literal, Some(&scope()), &mut found) {
        Some(Name::Fixed(name)) => Ok(format!("fixed {}", name.value())),
        Some(Name::Template(template)) => Ok(template.format_arguments().to_string()),
        None => Err(found.into_compile_errors().to_string()),
    }
}

#[test]
fn accepted_names() {
    for (name, expected) in [
        ("nightly_report", "fixed nightly_report"),
        ("a b'; DROP TABLE x", "fixed a b'; DROP TABLE x"),
        ("wörk 🦀", "fixed wörk 🦀"),
        ("{{literal}}", "fixed {literal}"),
        ("sync-{tenant}", r#""sync-{0}" , tenant"#),
        ("{{{tenant}}}", r#""{{{0}}}" , tenant"#),
        (
            "{tenant:03}-{tenant.id}",
            r#""{0:03}-{1}" , tenant , tenant . id"#,
        ),
        ("{self.region.0}", r#""{0}" , self . region . 0"#),
        ("{type}", r#""{0}" , r#type"#),
        ("{tenant.type}", r#""{0}" , tenant . r#type"#),
        ("{ tenant }", r#""{0}" , tenant"#),
    ] {
        assert_eq!(checked(name).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn refused_names() {
    for (name, words) in [
        ("", "empty"),
        ("a\0b", r"\\u{0}"),
        ("a\nb", r"\\n"),
        ("{tenat}", "did you mean `tenant`?"),
        ("{colour}", "the arguments are `tenant`, `type`"),
        ("{}", "positional"),
        ("{0}", "positional"),
        ("{:?}", "positional"),
        ("{tenant", "unclosed `{`"),
        ("tenant}", "unmatched `}`"),
        ("{tenant:width$}", "width as a number"),
        ("{tenant.id()}", "name = format!(..)"),
        ("{tenant + 1}", "name = format!(..)"),
        ("{tenant..id}", "name = format!(..)"),
        ("{_}", "name = format!(..)"),
        ("{crate}", "name = format!(..)"),
        ("{r#type}", "name = format!(..)"),
        ("{tenant.self}", "name = format!(..)"),
        ("{tenant.99999999999}", "name = format!(..)"),
    ] {
        let message = checked(name).expect_err(name);
        assert!(message.contains(words), "`{name}`: {message}");
    }
}

#[test]
fn several_wrong_placeholders_are_reported_together() {
    let message = checked("{tenat}-{nope}").unwrap_err();
    assert!(
        message.contains("`tenat`") && message.contains("`nope`"),
        "{message}"
    );
}
