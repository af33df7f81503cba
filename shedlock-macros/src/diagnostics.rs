//! Collecting compile errors, so that one mistake never hides another.
//!
//! Every error of this crate is made here and every one needs a place to point at. Messages follow
//! rustc's own: lower case, code in backticks, the fact, then `;`, then the fix.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::fmt;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<syn::Error>,
}

impl Diagnostics {
    /// Records an error under `tokens`.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl fmt::Display) {
        self.errors.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records an error at `span`, for places that have no token of their own.
    pub(crate) fn error_at(&mut self, span: Span, message: impl fmt::Display) {
        self.errors.push(syn::Error::new(span, message));
    }

    /// Records an error that a parser made.
    pub(crate) fn absorb(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// All errors as `compile_error!` items.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.errors
            .iter()
            .map(syn::Error::to_compile_error)
            .collect()
    }

    /// All errors as one expression, for macros that are called where a value is expected.
    pub(crate) fn into_compile_error_expression(self) -> TokenStream {
        let errors = self.errors.iter().map(syn::Error::to_compile_error);
        quote::quote!({ #(#errors;)* })
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    // One slip in a short word, two in a longer one: more would suggest unrelated names.
    let limit = if word.chars().count() <= 4 { 1 } else { 2 };
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swapped neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut current = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            current[j] = substituted.min(previous[j] + 1).min(current[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                current[j] = current[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("name", "name", 0),
            ("nmae", "name", 1),
            ("at_mots", "at_most", 1),
            ("tenat", "tenant", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let keys = ["name", "at_most", "at_least"];
        assert_eq!(closest("at_mosst", keys), Some("at_most"));
        assert_eq!(closest("nam", keys), Some("name"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(closest("it", keys), None);
    }
}
