//! Splitting a template into text and placeholders; the rules of `format!` for literal braces.

/// One piece of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// Text, with `{{` and `}}` undone.
    Text(&'a str),
    /// `{root.field:spec}`.
    Placeholder(Placeholder<'a>),
}

/// What stands between a pair of braces.
#[derive(Debug, PartialEq)]
pub(super) struct Placeholder<'a> {
    pub(super) root: &'a str,
    pub(super) fields: Vec<&'a str>,
    /// The format specification with its colon, or nothing.
    pub(super) spec: &'a str,
}

/// Splits `text`.
///
/// # Errors
/// The message for the user.
pub(super) fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let (brace, after) = rest[at..].split_at(1);
        if after.starts_with(brace) {
            pieces.push(Piece::Text(brace));
            rest = &after[1..];
        } else if brace == "}" {
            return Err("unmatched `}` in the lock name; write `}}` for a brace".to_owned());
        } else {
            let Some(end) = after.find('}') else {
                return Err("unclosed `{` in the lock name; write `{{` for a brace".to_owned());
            };
            pieces.push(Piece::Placeholder(placeholder(&after[..end])?));
            rest = &after[end + 1..];
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn placeholder(content: &str) -> Result<Placeholder<'_>, String> {
    let (path, spec) = match content.find(':') {
        Some(colon) => content.split_at(colon),
        None => (content, ""),
    };
    let path = path.trim();
    if path.is_empty() || path.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "positional placeholder `{{{content}}}` in the lock name; name an argument, such as \
             `{{tenant}}`"
        ));
    }
    if spec.contains(['$', '*']) {
        return Err(format!(
            "`{{{content}}}` takes its width from an argument; write the width as a number"
        ));
    }
    let mut segments = path.split('.');
    let root = segments.next().unwrap_or_default();
    let fields: Vec<&str> = segments.collect();
    if !is_ident(root) || !fields.iter().all(|field| is_field(field)) {
        return Err(format!(
            "`{{{content}}}` in the lock name is not an argument or a field of one; for anything \
             else write `name = format!(..)`"
        ));
    }
    Ok(Placeholder { root, fields, spec })
}

/// Whether `text` names a variable or a field, as a format string writes it: keywords are not raw.
fn is_ident(text: &str) -> bool {
    use syn::ext::IdentExt as _;
    use syn::parse::Parser as _;

    let parsed = syn::Ident::parse_any.parse_str(text);
    parsed.is_ok_and(|ident| ident == text)
        && !text.starts_with("r#")
        && !matches!(text, "_" | "crate" | "super" | "Self")
}

fn is_field(text: &str) -> bool {
    let is_index = || text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok();
    text != "self" && (is_ident(text) || is_index())
}
