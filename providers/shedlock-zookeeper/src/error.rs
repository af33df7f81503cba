//! Translates errors of ZooKeeper into errors of locks, with remedies.

use shedlock_runtime::{ErrorKind, LockError};
use zookeeper_client::{Error, SessionState};

/// No session could be opened.
pub(crate) fn unreachable(error: Error) -> LockError {
    let (kind, problem) = match error {
        Error::AuthFailed => (ErrorKind::Configuration, "ZooKeeper refuses the login"),
        // The client's message is left out, because a connection string may contain anything.
        Error::BadArguments(_) => (
            ErrorKind::Configuration,
            "the addresses of ZooKeeper are not valid",
        ),
        _ => (ErrorKind::Unavailable, "ZooKeeper cannot be reached"),
    };
    LockError::new(kind, problem).with_source(error)
}

/// The client has no connection, so nothing was sent.
pub(crate) fn disconnected(state: SessionState) -> LockError {
    match state {
        SessionState::Expired | SessionState::Closed => LockError::new(
            ErrorKind::Unavailable,
            "the session of the client of ZooKeeper has ended",
        )
        .with_remedy(
            "create the provider with `connect(url)` or with a connector, so that it opens new sessions by itself",
        ),
        SessionState::AuthFailed => {
            LockError::new(ErrorKind::Configuration, "ZooKeeper refuses the login")
        }
        _ => LockError::new(
            ErrorKind::Unavailable,
            "there is no connection to ZooKeeper",
        ),
    }
}

/// The request failed and had been sent before: an earlier copy of the request may have been carried out.
pub(crate) fn in_doubt(error: LockError) -> LockError {
    let doubt = "ZooKeeper gave no answer at first, and then an error";
    LockError::in_doubt(doubt, error)
}

/// ZooKeeper did not answer, although the request was repeated.
pub(crate) fn unanswered() -> LockError {
    LockError::new(ErrorKind::Timeout, "ZooKeeper does not answer")
}

/// An answer that the request cannot have.
pub(crate) fn illegible() -> LockError {
    LockError::new(
        ErrorKind::Indeterminate,
        "ZooKeeper gave an answer that cannot be read",
    )
}

/// Deletions of other locks kept changing what the write depends on.
pub(crate) fn raced() -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        "deletions of other locks kept coming between",
    )
}

/// What was asked of a node, as the right is called that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Write,
    Create,
    Delete,
}

impl Right {
    /// The right and the path of the node whose ACL has to grant it.
    fn on(self, path: &str) -> String {
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        match self {
            Self::Read => format!("READ `{path}`"),
            Self::Write => format!("WRITE `{path}`"),
            Self::Create => format!("CREATE below `{parent}`"),
            Self::Delete => format!("DELETE below `{parent}`"),
        }
    }
}

/// ZooKeeper refused a request about the node `path`.
pub(crate) fn refused(right: Right, path: &str, error: Error) -> LockError {
    let explained = match error {
        Error::NoAuth => {
            let right = right.on(path);
            LockError::new(
                ErrorKind::Permission,
                format!("the client of ZooKeeper may not {right}"),
            )
            .with_remedy(format!(
                "see whether its login is right, and let the ACLs permit it to {right}"
            ))
        }
        Error::NoNode => LockError::new(
            ErrorKind::Schema,
            format!("the parents of `{path}` cannot be created"),
        )
        .with_remedy("create the node at the end of the URL, which is the root for this client"),
        Error::InvalidAcl => LockError::new(
            ErrorKind::Configuration,
            "ZooKeeper does not accept the ACL of the locks",
        )
        .with_remedy("correct `acl`; the scheme `auth` needs a client that is logged in"),
        Error::QuotaExceeded => LockError::new(
            ErrorKind::Unavailable,
            format!("the quota does not permit `{path}`"),
        )
        .with_remedy("raise the quota, or `prune` free locks"),
        Error::NotReadOnly => LockError::new(
            ErrorKind::ReadOnly,
            "the server of ZooKeeper is read-only, because it has lost its ensemble",
        ),
        Error::NoChildrenForEphemerals => LockError::new(
            ErrorKind::Schema,
            format!("a parent of `{path}` is an ephemeral node, which cannot have children"),
        )
        .with_remedy("give the lock another name, or remove what lies in the store above it"),
        Error::Throttled => LockError::new(ErrorKind::Unavailable, "ZooKeeper is overloaded"),
        Error::Unimplemented => {
            LockError::new(ErrorKind::Unsupported, "the server of ZooKeeper is too old")
                .with_remedy("use ZooKeeper 3.6 or newer")
        }
        _ => LockError::new(
            ErrorKind::Indeterminate,
            format!("ZooKeeper did not do it for `{path}`"),
        ),
    };
    explained.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_right_and_the_node_that_grants_it() {
        let of = |right| refused(right, "/shedlock/mail", Error::NoAuth).to_string();
        assert!(of(Right::Write).contains("WRITE `/shedlock/mail`"));
        assert!(of(Right::Create).contains("CREATE below `/shedlock`"));
    }
}
