//! Names and reasons as they are shown: what would steer a terminal, reorder a line or not be seen is escaped.

use std::borrow::Cow;
use std::fmt;

/// `text` for people: characters that have no shape of their own are written out, as `\u{202e}`.
///
/// Those are control characters, the marks that change the direction of writing, characters of no width, separators of
/// lines, blanks that are not the space, and code points that mean nothing. Whoever writes to a store chooses names and
/// reasons, and could otherwise have a line say what it does not. Only what is shown goes through here: names are kept
/// and compared as they are.
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

/// As [`printable`], in a place that takes anything with a `Display`.
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
