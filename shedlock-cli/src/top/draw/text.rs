//! Texts in columns of a terminal.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// `text` in exactly `width` columns: filled with blanks, or cut with `…` at its end.
pub(super) fn fit(text: &str, width: usize) -> String {
    let own = text.width();
    if own <= width {
        return format!("{text}{}", " ".repeat(width - own));
    }
    let (mut cut, mut used) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or_default();
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
        used += 1;
    }
    cut.push_str(&" ".repeat(width.saturating_sub(used)));
    cut
}

/// `text` in exactly `width` columns: filled with blanks at its left, or cut with `…` at its beginning. For numbers, whose last digits change.
pub(super) fn fit_end(text: &str, width: usize) -> String {
    let own = text.width();
    if own <= width {
        return format!("{}{text}", " ".repeat(width - own));
    }
    // Digits alone are this long.
    let kept = text.chars().count().saturating_sub(width.saturating_sub(1));
    let end: String = text.chars().skip(kept).collect();
    fit(&format!("…{end}"), width)
}

/// A duration in at most six columns, such as `0.4s`, `7m12s`, `2h05m` and `3d04h`.
pub(super) fn compact(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m{:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ if days < 100 => format!("{days}d{:02}h", hours % 24),
        _ if days < 36_500 => format!("{days}d"),
        _ => "ever".to_owned(),
    }
}

/// `part` of `whole` as a bar of `width` columns, to an eighth of a column. It is empty only if nothing is left.
pub(super) fn bar(part: Duration, whole: Duration, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let all = (width * 8) as u128;
    let eighths = (part.as_millis() * all).div_ceil(whole.as_millis().max(1));
    let eighths = usize::try_from(eighths.min(all)).unwrap_or_default();
    let mut bar = "█".repeat(eighths / 8);
    if let Some(rest) = EIGHTHS.get(eighths % 8).filter(|_| eighths % 8 > 0) {
        bar.push(*rest);
    }
    fit(&bar, width).replace(' ', "░")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_width_that_the_terminal_gives_it() {
        for text in ["", "mail", "nightly_report", "夜間バッチ処理", "é\u{301}a"] {
            for width in 0..20 {
                assert_eq!(fit(text, width).width(), width, "{text} in {width}");
            }
        }
        assert_eq!(fit("nightly", 4), "nig…");
        assert_eq!(fit("夜間バッチ", 4), "夜… ");
        assert_eq!(fit_end("1764399191000042", 7), "…000042");
        assert_eq!(fit_end("42", 7), "     42");
    }

    #[test]
    fn a_duration_is_short() {
        let of = |seconds: f64| compact(Duration::from_secs_f64(seconds));
        assert_eq!(
            [0.45, 59.9, 432.9, 7_500.0, 273_600.0, 9e8, 9e9].map(of),
            ["0.4s", "59s", "7m12s", "2h05m", "3d04h", "10416d", "ever"]
        );
    }

    #[test]
    fn a_bar_is_empty_only_when_nothing_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(bar(Duration::ZERO, second, 4), "░░░░");
        assert_eq!(bar(second, second * 1_000, 4), "▏░░░");
        assert_eq!(bar(second, second * 2, 4), "██░░");
        assert_eq!(bar(second * 9, second * 16, 2), "█▏");
        assert_eq!(bar(second, Duration::ZERO, 4), "████");
    }
}
