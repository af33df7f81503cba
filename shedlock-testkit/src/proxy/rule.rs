//! The rules of a proxy, and the triggers that apply a rule.

use std::time::Duration;

/// The direction of bytes through a proxy or a cable.
///
/// See [`Rule`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Requests, from the client to the server.
    ToServer,
    /// Replies, from the server to the client.
    ToClient,
    /// Requests and replies.
    Both,
}

impl Direction {
    pub(crate) fn includes(self, way: Self) -> bool {
        self == Self::Both || self == way
    }
}

/// How a proxy ends a connection.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::proxy::Ending;
///
/// # fn test(proxy: &Proxy) {
/// // A provider must survive both an orderly close and a reset.
/// proxy.end_connections(Ending::Close);
/// proxy.end_connections(Ending::Reset);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// An orderly close (FIN), as when a server shuts down.
    Close,
    /// A reset (RST), as from a network device or after a process has crashed.
    Reset,
}

/// What a proxy does with the bytes of all its connections, until another rule is set.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::proxy::{Direction, Rule};
///
/// # fn test(proxy: &Proxy) {
/// // A slow network, then a server whose replies are lost, then everything as it should be.
/// proxy.set(Rule::Delay(Direction::Both, Duration::from_millis(200)));
/// proxy.set(Rule::Discard(Direction::ToClient));
/// proxy.set(Rule::Pass);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Passes all bytes on.
    Pass,
    /// Passes each piece of data on after a delay.
    Delay(Direction, Duration),
    /// Limits the number of bytes that are passed on each second, separately for each direction.
    Throttle {
        /// Bytes per second in each direction.
        rate: u32,
    },
    /// Holds data back and leaves the connections open, as a network partition does. The next rule that passes bytes on delivers the held
    /// data in order.
    Hold(Direction),
    /// Discards data and leaves the connections open. With [`Direction::ToClient`], the server carries out the requests and the replies are
    /// lost.
    Discard(Direction),
    /// Passes requests on, and ends a connection instead of delivering the next reply on that connection.
    EndOnReply(Ending),
    /// Ends all open connections, and ends each new connection as soon as the connection is made.
    End(Ending),
}

/// Selects the message of a client that applies a rule; see [`Proxy::on`](crate::Proxy::on).
///
/// A message is the data that arrives at the proxy in one piece. A prepared statement is sent without its text, so a request is often
/// recognized by a parameter, such as the name of the lock.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::proxy::{Ending, Rule, Trigger};
///
/// # fn test(proxy: &Proxy) {
/// // The second request that names the lock `mail` gets no reply: the connection ends.
/// proxy.on(Trigger::containing("mail").nth(2), Rule::EndOnReply(Ending::Reset));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    content: Vec<u8>,
    countdown: usize,
    connection: Option<usize>,
}

impl Trigger {
    /// Matches the next message, whatever the message contains.
    #[must_use]
    pub fn next_message() -> Self {
        Self {
            content: Vec::new(),
            countdown: 1,
            connection: None,
        }
    }

    /// Matches the next message that contains these bytes.
    #[must_use]
    pub fn containing(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            countdown: 1,
            connection: None,
        }
    }

    /// Matches the `n`th matching message, counted from one, instead of the first.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        self.countdown = n.max(1);
        self
    }

    /// Matches only messages on the connection with this number; see [`Proxy::connections`](crate::Proxy::connections).
    #[must_use]
    pub fn on_connection(mut self, number: usize) -> Self {
        self.connection = Some(number);
        self
    }

    /// Whether `message` matches; `before` ends with the data that the same client sent before `message`.
    pub(super) fn is_set_off_by(
        &mut self,
        connection: usize,
        before: &[u8],
        message: &[u8],
    ) -> bool {
        if self.connection.is_some_and(|number| number != connection) {
            return false;
        }
        // A match may begin in the previous piece, but must end in this piece.
        let carried = before.len().min(self.content.len().saturating_sub(1));
        let seen = [&before[before.len() - carried..], message].concat();
        let matches = self.content.is_empty()
            || seen
                .windows(self.content.len())
                .any(|part| part == self.content);
        if matches {
            self.countdown -= 1;
        }
        self.countdown == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_match_sets_off() {
        let mut trigger = Trigger::containing("lock").nth(2);
        assert!(!trigger.is_set_off_by(0, b"", b"other"));
        assert!(!trigger.is_set_off_by(0, b"", b"a lock"));
        assert!(
            !trigger.is_set_off_by(0, b"a lock", b"other"),
            "what was seen is not counted again"
        );
        assert!(!trigger.is_set_off_by(0, b"", b"lo"));
        assert!(
            trigger.is_set_off_by(0, b"lo", b"ck"),
            "a match may span two pieces"
        );
    }

    #[test]
    fn another_connection_does_not_count() {
        let mut trigger = Trigger::next_message().on_connection(1);
        assert!(!trigger.is_set_off_by(0, b"", b"x"));
        assert!(trigger.is_set_off_by(1, b"", b"x"));
    }

    #[test]
    fn any_message_sets_off_a_trigger_without_content() {
        let mut trigger = Trigger::next_message().nth(2);
        assert!(!trigger.is_set_off_by(0, b"", b"x"));
        assert!(trigger.is_set_off_by(0, b"x", b"y"));
    }
}
