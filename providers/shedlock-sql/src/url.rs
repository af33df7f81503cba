//! Parses connection URLs: splits a URL with several servers, and rejects those of JDBC or of another database.

use std::fmt;

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;

/// Splits `url` into one URL for each server that it names.
///
/// As in libpq, `postgres://user@one:5432,two/database?target_session_attrs=read-write` names two servers. The result lacks the parameter
/// `target_session_attrs`, because a lock always needs a server that accepts writes.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] for a JDBC URL, the URL of another kind of database, or one that asks for a server without writes.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, url};
///
/// let servers = url::servers(Dialect::Postgres, "postgres://app@one,two/app")?;
/// assert_eq!(servers, ["postgres://app@one/app", "postgres://app@two/app"]);
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
pub fn servers(dialect: Dialect, url: &str) -> Result<Vec<String>, LockError> {
    check_scheme(dialect, url)?;
    if dialect == Dialect::Sqlite {
        return Ok(vec![url.to_owned()]);
    }
    let url = &without_session_attributes(dialect, url)?;
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(vec![url.clone()]);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    Ok(hosts
        .split(',')
        .map(|host| format!("{scheme}://{user}{host}{path}"))
        .collect())
}

/// The IPv6 address in a URL's host such as `[::1]`, without the brackets, which a driver may otherwise resolve as a host name.
#[must_use]
pub fn bare_ipv6(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

/// The error for a URL that a driver cannot parse, with the driver's `error` as the message unless that repeats a secret.
#[must_use]
pub fn invalid(dialect: Dialect, url: &str, error: &dyn fmt::Display) -> LockError {
    let problem = match error.to_string() {
        // A password with an unescaped `/` or `?` may end up in the part that the message quotes.
        message if repeats_secret(url, &message) => "the connection URL is not valid".to_owned(),
        message => format!("the connection URL is not valid: {message}"),
    };
    refuse(
        problem,
        format!(
            "expected `{}`, with special characters in the password percent-encoded",
            example(dialect)
        ),
    )
}

/// Rejects another database's URL, which sqlx accepts for SQLite as the name of a file.
fn check_scheme(dialect: Dialect, url: &str) -> Result<(), LockError> {
    let expected = || format!("expected `{}`", example(dialect));
    if url.starts_with("jdbc:") {
        let problem =
            "the connection URL is one of JDBC's, with user and password in its parameters";
        return Err(refuse(problem.to_owned(), expected()));
    }
    let schemes: &[&str] = match dialect {
        Dialect::Postgres => &["postgres", "postgresql"],
        Dialect::MySql => &["mysql", "mariadb"],
        Dialect::Sqlite => &["sqlite"],
    };
    match url.split_once("://") {
        Some((scheme, _)) if !schemes.contains(&scheme) => {
            let problem = "the connection URL is not for this kind of database".to_owned();
            Err(refuse(problem, expected()))
        }
        _ => Ok(()),
    }
}

/// Removes libpq's `target_session_attrs` from the URL; an error if its value asks for a server that accepts no writes.
fn without_session_attributes(dialect: Dialect, url: &str) -> Result<String, LockError> {
    let Some((before, query)) = url.split_once('?') else {
        return Ok(url.to_owned());
    };
    if dialect != Dialect::Postgres {
        return Ok(url.to_owned());
    }
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("target_session_attrs", "any" | "read-write" | "primary")) => {}
            Some(("target_session_attrs", _)) => {
                return Err(refuse(
                    "`target_session_attrs` asks for a server that takes no writes, and a lock is a write".to_owned(),
                    "expected `read-write` or `primary`".to_owned(),
                ));
            }
            _ => kept.push(pair),
        }
    }
    Ok(if kept.is_empty() {
        before.to_owned()
    } else {
        format!("{before}?{}", kept.join("&"))
    })
}

fn refuse(problem: String, remedy: String) -> LockError {
    LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy)
}

fn example(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "postgres://user:password@host:5432/database",
        Dialect::MySql => "mysql://user:password@host:3306/database",
        Dialect::Sqlite => "sqlite://file.db",
    }
}

/// Whether `message` quotes anything that follows the user's name in `url`.
fn repeats_secret(url: &str, message: &str) -> bool {
    let Some((_scheme, rest)) = url.split_once("://") else {
        return message.contains('`') || message.contains('"');
    };
    let Some((_user, secret)) = rest.split_once(':') else {
        return false;
    };
    // Any piece of the secret, as a parser may have cut it anywhere.
    secret
        .split(|c: char| !c.is_alphanumeric())
        .filter(|piece| piece.len() > 2)
        .any(|piece| message.contains(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers_of(url: &str) -> Result<Vec<String>, String> {
        servers(Dialect::Postgres, url).map_err(|error| error.to_string())
    }

    #[test]
    fn each_server_gets_a_url() {
        assert_eq!(
            servers_of(
                "postgres://u:a,b@one:1,two,[::1]:3/db?target_session_attrs=read-write&sslmode=disable"
            ),
            Ok(vec![
                "postgres://u:a,b@one:1/db?sslmode=disable".to_owned(),
                "postgres://u:a,b@two/db?sslmode=disable".to_owned(),
                "postgres://u:a,b@[::1]:3/db?sslmode=disable".to_owned(),
            ])
        );
        assert_eq!(
            servers_of("postgres://one,two"),
            Ok(vec![
                "postgres://one".to_owned(),
                "postgres://two".to_owned()
            ])
        );
        let plain = "postgres://one/db?target_session_attrs=any";
        assert_eq!(servers_of(plain), Ok(vec!["postgres://one/db".to_owned()]));
    }

    #[test]
    fn what_cannot_keep_locks_is_refused_by_name() {
        let standby = servers_of("postgres://one,two/db?target_session_attrs=standby").unwrap_err();
        assert!(standby.contains("`read-write` or `primary`"), "{standby}");
        let jdbc = servers_of("jdbc:postgresql://one/db?user=u&password=p").unwrap_err();
        assert!(
            jdbc.contains("JDBC") && jdbc.contains("postgres://user"),
            "{jdbc}"
        );
        let other = servers_of("mysql://one/db").unwrap_err();
        assert!(other.contains("not for this kind of database"), "{other}");
        assert!(servers(Dialect::MySql, "mariadb://one/db").is_ok());
    }
}
