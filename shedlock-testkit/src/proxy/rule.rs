//! What a proxy does with what passes through, and when it begins to.

use std::time::Duration;

/// Which way bytes go through a proxy or a cable.
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
/// // Both kinds: a provider must survive a server that says goodbye, and one that does not.
/// proxy.end_connections(Ending::Close);
/// proxy.end_connections(Ending::Reset);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In good order, as a server that is shut down does it.
    Close,
    /// With a reset, as a network device or a dead process does it.
    Reset,
}

/// What a proxy does with all its connections, until another rule is set.
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
    /// Passes everything on.
    Pass,
    /// Passes each piece on after a delay.
    Delay(Direction, Duration),
    /// Passes on a limited number of bytes each second in each direction.
    Throttle {
        /// Bytes per second in each direction.
        rate: u32,
    },
    /// Holds back what arrives and leaves the connections open, as a network partition does. The next rule that passes bytes on delivers what was
    /// held back, in order.
    Hold(Direction),
    /// Discards what arrives and leaves the connections open. With [`Direction::ToClient`], the server has carried out the requests.
    Discard(Direction),
    /// Passes requests on, and ends a connection instead of delivering its next reply.
    EndOnReply(Ending),
    /// Ends all connections, and new ones as soon as they are made.
    End(Ending),
}

/// Which message of a client sets off a rule.
///
/// A message is what arrives at the proxy in one piece. A statement prepared earlier is sent without its text, so what
/// distinguishes a request on the wire is often a parameter, such as the name of the lock.
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
    /// The next message, whatever it is.
    #[must_use]
    pub fn next_message() -> Self {
        Self {
            content: Vec::new(),
            countdown: 1,
            connection: None,
        }
    }

    /// The next message that contains these bytes.
    #[must_use]
    pub fn containing(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            countdown: 1,
            connection: None,
        }
    }

    /// Not the first such message but the `n`th, counted from one.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        self.countdown = n.max(1);
        self
    }

    /// Only messages on the connection of this number count; see [`Proxy::connections`](crate::Proxy::connections).
    #[must_use]
    pub fn on_connection(mut self, number: usize) -> Self {
        self.connection = Some(number);
        self
    }

    /// Whether `message` sets the rule off; `before` ends with what the same client sent just before.
    pub(super) fn is_set_off_by(
        &mut self,
        connection: usize,
        before: &[u8],
        message: &[u8],
    ) -> bool {
        if self.connection.is_some_and(|number| number != connection) {
            return false;
        }
        // A match may begin in the piece before, but must end in this one.
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
