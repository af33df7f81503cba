//! Functions that `#[tokio::main]` or `#[tokio::test]` expanded before us.
//!
//! Written above our attribute they have already turned the `async fn` into a plain one that
//! begins with `let body = async { .. };` and ends by blocking on it. The lock belongs around the
//! inside of that block.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The pieces of such a body.
pub(crate) struct Entry {
    /// `let body = async`.
    before: TokenStream,
    /// What the user wrote, in its braces.
    pub(crate) block: Group,
    /// Everything that runs it.
    after: TokenStream,
}

impl Entry {
    /// Recognises the pattern.
    pub(super) fn find(body: &TokenStream) -> Option<Self> {
        let mut tokens = body.clone().into_iter();
        let before: Vec<TokenTree> = tokens.by_ref().take(4).collect();
        let words: Vec<String> = before.iter().map(ToString::to_string).collect();
        if words != ["let", "body", "=", "async"] {
            return None;
        }
        let Some(TokenTree::Group(block)) = tokens.next() else {
            return None;
        };
        let after: TokenStream = tokens.collect();
        let runs_it = block.delimiter() == Delimiter::Brace && mentions(&after, "block_on");
        runs_it.then(|| Self {
            before: before.into_iter().collect(),
            block,
            after,
        })
    }

    /// The body of the function with another block in it.
    pub(crate) fn with_block(&self, block: &Group) -> TokenStream {
        let Self { before, after, .. } = self;
        quote::quote!(#before #block #after)
    }
}

fn mentions(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(&group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
