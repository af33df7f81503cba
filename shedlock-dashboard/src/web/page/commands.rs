//! Commands to copy: what the page does, and what it only shows, in a terminal.

use maud::{Markup, html};
use shedlock_runtime::printable;

use crate::{LockRow, LockState};

/// The commands for a lock, each with what it does. None for a name that a reader would see otherwise than a shell.
pub(super) fn of(row: &LockRow) -> Markup {
    let Some(name) = quoted(&row.info.name) else {
        return html! {};
    };
    let mut commands = vec![
        ("What the store knows", format!("shedlock get {name}")),
        ("What ran", format!("shedlock history {name}")),
    ];
    match row.state {
        LockState::Paused => commands.push(("End the pause", format!("shedlock resume {name}"))),
        _ => commands.push((
            "Make every node skip it",
            format!("shedlock pause --for 2h --reason 'why' {name}"),
        )),
    }
    if row.info.is_held() {
        commands.push((
            "Free it, whoever holds it",
            format!("shedlock release --force --reason 'why' {name}"),
        ));
    }
    html! {
        dl.commands {
            @for (what, command) in &commands {
                div {
                    dt { (what) }
                    dd { code data-copy="" { (command) } }
                }
            }
        }
    }
}

/// The name as one word of a shell.
fn quoted(name: &str) -> Option<String> {
    if printable(name) != name {
        return None;
    }
    let quoted = shlex::try_quote(name).ok()?;
    Some(if name.starts_with('-') {
        format!("-- {quoted}")
    } else {
        quoted.into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_a_name_for_one_word() {
        assert_eq!(quoted("mail").unwrap(), "mail");
        assert_eq!(quoted("-f").unwrap(), "-- -f");
        for name in ["a b", "$(reboot)", "a';reboot;'", "`x`", "*"] {
            let words = shlex::split(&quoted(name).unwrap()).unwrap();
            assert_eq!(words, [name]);
        }
        assert_eq!(quoted("a\u{202e}b"), None);
    }
}
