//! Names and reasons for display: characters that would control a terminal, reorder a line or be invisible are escaped.

use std::borrow::Cow;
use std::fmt;

/// Escapes the characters of `text` that a reader cannot see, for display: U+202E becomes `\u{202e}`.
///
/// The escaped characters are control characters, marks that change the direction of writing, characters without a width, line separators,
/// blanks other than the space, and unassigned code points. Anybody who can write to a store chooses names and reasons, and could otherwise
/// make a log line look different from what it says. Escape only for display: names are stored and compared unescaped.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::printable;
///
/// assert_eq!(printable("naïve 🦀"), "naïve 🦀");
/// assert_eq!(printable("mail\u{202e}gpj"), "mail\\u{202e}gpj");
/// assert_eq!(printable("two\nlines"), "two\\nlines");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(has_a_shape) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if has_a_shape(c) {
            shown.push(c);
        } else if c.is_control() {
            shown.extend(c.escape_debug());
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    Cow::Owned(shown)
}

/// Displays a text as [`printable`] escapes it.
pub(crate) struct Printable<T>(pub(crate) T);

impl<T: AsRef<str>> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.0.as_ref()))
    }
}

/// Whether a reader sees `c`, and nothing else of the line changes by it.
fn has_a_shape(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_control();
    }
    if is_invisible(c) {
        return false;
    }
    // The standard library knows what can be printed, and its table grows with Unicode. Behind a letter, because a
    // combining mark without one is escaped.
    let mut text = [b'a'; 5];
    let length = 1 + c.encode_utf8(&mut text[1..]).len();
    std::str::from_utf8(&text[..length]).is_ok_and(|text| text.escape_debug().nth(1) == Some(c))
}

/// What is printed as nothing, although the standard library takes it for a letter or a mark: the rest of Unicode's
/// `Default_Ignorable_Code_Point`.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_shown_as_it_is() {
        for text in [
            "",
            "nightly_report",
            "job ",
            "'quoted' \"twice\" back\\slash {braces}",
            "naïve",
            // The same, of a letter and a mark.
            "nai\u{308}ve",
            "🦀",
            "عمل",
            "作業",
            "हिन्दी",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        let ranges = [
            '\0'..='\u{1f}',
            '\u{7f}'..='\u{a0}',
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{180b}'..='\u{180f}',
            '\u{2000}'..='\u{200f}',
            '\u{2028}'..='\u{202f}',
            '\u{205f}'..='\u{206f}',
            '\u{3000}'..='\u{3000}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{e0000}'..='\u{e01ef}',
        ];
        for c in ranges.into_iter().flatten() {
            let shown = printable(&format!("a{c}b")).into_owned();
            assert!(shown.starts_with("a\\") && shown.ends_with('b'), "{c:?}");
            assert!(shown.is_ascii() && !shown.contains(c), "{c:?}");
        }
        assert_eq!(printable("\u{202e}"), "\\u{202e}");
        assert_eq!(printable("\u{fe0f}\u{3164}"), "\\u{fe0f}\\u{3164}");
        assert_eq!(printable("\n\u{1b}[2J"), "\\n\\u{1b}[2J");
    }
}
