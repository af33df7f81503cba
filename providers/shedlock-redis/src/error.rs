//! Translates the server's errors into errors of locks.

use std::time::Duration;

use redis::{ErrorKind as Redis, RedisError};
use shedlock_runtime::{ErrorKind, LockError, Overrule, printable};

/// The commands and keys that the provider needs, as arguments of `ACL SETUSER`.
const RIGHTS: &str = "~job-lock:* ~shedlock-fence:* +eval +evalsha +get +set +del +pttl +pexpire +persist +hmget +hset +time";

/// Whether the script must be sent in full, because the server was restarted or has never received the script.
pub(crate) fn is_unknown_script(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

/// Whether a new connection may succeed: the current connection is broken, leads to a server that is no longer the primary, or was
/// authenticated before the user's rights changed.
pub(crate) fn is_of_the_connection(error: &RedisError) -> bool {
    const CODES: &[&str] = &[
        "READONLY",
        "LOADING",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "NOAUTH",
        "NOPERM",
        "WRONGPASS",
    ];
    let code = error.code();
    code.is_none_or(|code| CODES.contains(&code))
        || is_right_missing_in_script(error.detail().unwrap_or_default())
}

/// Whether the user may not run a command or access a key within a script. The error's code is `ERR`, so the text decides: Redis 7.0 has
/// the first text, later servers have the second.
fn is_right_missing_in_script(detail: &str) -> bool {
    detail.starts_with("The user executing the script can't")
        || detail.starts_with("ACL failure in script")
}

/// No connection could be opened, so nothing was sent.
pub(crate) fn unreachable(error: RedisError) -> LockError {
    let explained = match (error.kind(), error.code()) {
        (Redis::AuthenticationFailed, _) => login(),
        (Redis::InvalidClientConfig, _) => not_as_configured(),
        (Redis::MasterNameNotFoundBySentinel, _) => {
            let problem = "no sentinel knows a primary of this name";
            LockError::new(ErrorKind::Configuration, problem).with_remedy(
                "write the URL as `redis+sentinel://user:password@sentinel:26379,sentinel/name`",
            )
        }
        (_, Some(_)) => return failed("", error),
        _ => LockError::new(ErrorKind::Unavailable, "the server cannot be reached"),
    };
    explained.with_source(error)
}

/// The URL is not valid.
pub(crate) fn not_as_configured() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL cannot be used")
        .with_remedy("write it as `redis://user:password@host:6379/0`, `redis+cluster://user:password@host:6379,host` or `redis+sentinel://user:password@sentinel:26379,sentinel/name`")
}

/// No server of the cluster can be asked.
pub(crate) fn no_server() -> RedisError {
    (
        Redis::ClusterConnectionNotFound,
        "no server of the cluster can be asked",
    )
        .into()
}

/// The existing connection gave no answer in its part of the time limit, and no other connection could be opened.
pub(crate) fn silent(part: Duration) -> LockError {
    let problem = format!("a connection that had been idle gave no answer within {part:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

/// The value under the lock's key is not the value of a lock.
pub(crate) fn foreign(key: &str) -> LockError {
    let problem = format!(
        "the key `{}` holds what is no lock's value, and is left as it is",
        printable(key)
    );
    LockError::new(ErrorKind::Schema, problem).with_remedy(own_keys(key))
}

/// The lock's key has no time to live, so the lock would never end.
pub(crate) fn endless(key: &str) -> LockError {
    let problem = format!(
        "the key `{}` has no time to live, so its lock would never be free",
        printable(key)
    );
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("release the lock by force, or delete the key")
}

/// A command failed. `key` is the key of the lock that the command was about.
pub(crate) fn failed(key: &str, error: RedisError) -> LockError {
    let explained = match error.code() {
        Some(code) => reported(code, key, error.detail().unwrap_or_default()),
        None => match error.kind() {
            Redis::AuthenticationFailed => login(),
            Redis::Parse | Redis::UnexpectedReturnType => LockError::new(
                ErrorKind::Indeterminate,
                "the server's answer could not be read",
            ),
            _ => LockError::new(
                ErrorKind::Indeterminate,
                "the connection broke before the answer came",
            ),
        },
    };
    explained.with_source(error)
}

fn reported(code: &str, key: &str, detail: &str) -> LockError {
    let unavailable = |problem: &str| LockError::new(ErrorKind::Unavailable, problem);
    match code {
        "READONLY" => LockError::new(
            ErrorKind::ReadOnly,
            "the server is a replica, which takes no writes",
        )
        .with_remedy("connect to the primary, by an address that follows it in a failover"),
        "LOADING" => unavailable("the server is loading its data"),
        "MASTERDOWN" => unavailable("the server is a replica that has lost its primary")
            .with_remedy("connect to the primary, by an address that follows it in a failover"),
        "CLUSTERDOWN" | "TRYAGAIN" => {
            unavailable("the cluster does not serve the lock's slot at present")
        }
        "BUSY" => unavailable("the server is busy with somebody's script")
            .with_remedy("wait for it, or run `SCRIPT KILL`"),
        "OOM" => unavailable("the server has used up its memory, and takes no new locks")
            .with_remedy("raise `maxmemory`, or move other data away; eviction would lose locks"),
        "MISCONF" => unavailable("the server cannot save its data, and takes no writes")
            .with_remedy("look into the server's log: most often the disk is full"),
        "NOREPLICAS" => {
            unavailable("the server has fewer replicas than `min-replicas-to-write` demands")
        }
        "NOAUTH" | "WRONGPASS" => login(),
        "NOPERM" => no_right(),
        "ERR" if is_right_missing_in_script(detail) => no_right(),
        "WRONGTYPE" => {
            let problem = format!(
                "the key `{}` or that of its fence holds no value of the right type, and is left as it is",
                printable(key)
            );
            LockError::new(ErrorKind::Schema, problem).with_remedy(own_keys(key))
        }
        "MOVED" | "ASK" | "CROSSSLOT" => LockError::new(
            ErrorKind::Unsupported,
            "the server is part of a cluster, and the key is kept by another one",
        )
        .with_remedy("write the URL as `redis+cluster://user:password@host:6379`"),
        "ERR" if detail.contains("max number of clients") => {
            unavailable("the server has as many clients as `maxclients` allows")
        }
        "ERR" if detail.starts_with("unknown command 'SENTINEL'") => LockError::new(
            ErrorKind::Configuration,
            "a server in the URL is no sentinel",
        )
        .with_remedy("give the addresses of the sentinels, which most often listen at port 26379"),
        "ERR" if detail.starts_with("unknown command") => LockError::new(
            ErrorKind::Unsupported,
            "the server does not know a command that locks need",
        ),
        _ => LockError::new(ErrorKind::Other, format!("the server says {code}")),
    }
}

fn login() -> LockError {
    LockError::new(ErrorKind::Configuration, "the server refuses the login")
        .with_remedy("give user and password in the URL: `redis://user:password@host:6379`")
}

fn no_right() -> LockError {
    LockError::new(ErrorKind::Permission, "the server's user lacks a right").with_remedy(format!(
        "run `ACL SETUSER <user> {RIGHTS}`, with the prefix of your locks; operators need `+scan +info` too, and a primary behind sentinels `+role`"
    ))
}

fn own_keys(key: &str) -> String {
    format!(
        "give locks a `prefix` that no other program uses, or delete the key: `DEL {}`",
        printable(key)
    )
}

/// The operator's request is of a kind that this version of the provider does not know.
pub(crate) fn unknown(overrule: &Overrule<'_>) -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        format!("this provider cannot {overrule} a lock"),
    )
}
