//! What the table of stores is made of.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use shedlock_runtime::{HistoryOptions, printable};

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use shedlock_sql::{ColumnNames, DEFAULT_HISTORY_TABLE, DEFAULT_TABLE, Dialect, Names};

use crate::exit::Failure;
use crate::store::Store;

/// Makes a provider of a URL, a node's name, what the parameter names, and which runs are kept.
type Open = fn(
    &str,
    Option<&str>,
    Option<String>,
    Option<HistoryOptions>,
) -> Result<Arc<dyn Store>, Failure>;

/// One kind of store that is built in.
pub(crate) struct Entry {
    pub(crate) schemes: &'static [&'static str],
    pub(crate) example: &'static str,
    /// The parameter of the URL that names the table, bucket, collection or prefix.
    pub(crate) parameter: &'static str,
    pub(crate) open: Open,
    pub(crate) keeps_history: bool,
    pub(crate) schema: Schema,
}

/// What a store needs before it can keep locks.
pub(crate) enum Schema {
    /// A table.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    Sql(Dialect),
    /// Nothing that could be printed as statements; the text says what.
    #[allow(dead_code, reason = "SQL may be all that is built in")]
    None(&'static str),
}

impl Schema {
    #[allow(
        unused_variables,
        clippy::unnecessary_wraps,
        reason = "SQL may be left out"
    )]
    pub(crate) fn text(&self, place: Option<&str>, has_history: bool) -> Result<String, Failure> {
        match self {
            #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
            Self::Sql(dialect) => {
                let table = place.unwrap_or(DEFAULT_TABLE);
                let names = Names::new(*dialect, table, ColumnNames::default())?;
                let ended = |ddl: &str| format!("{};\n", ddl.trim_end().trim_end_matches(';'));
                let locks = ended(&names.ddl());
                if !has_history {
                    return Ok(locks);
                }
                let runs = Names::history(*dialect, DEFAULT_HISTORY_TABLE)?;
                Ok(locks + &ended(&runs.ddl()))
            }
            Self::None(text) => Ok(format!("-- {text}\n")),
        }
    }
}

/// Writes the table `STORES` of what is built in, the table `MISSING` of what is not, and `Store` for each provider.
macro_rules! stores {
    ($($feature:literal: [$($scheme:literal),+] $example:literal => $provider:ty[$builder:ident]:
        $parameter:literal $place:ident; $(url: $url:path;)? $(first: $first:ident;)? $(set_up: $set_up:ident;)?
        $(check: $check:ident |$report:pat_param| $warnings:expr;)? $(keeps: $history:ident;)? text: $schema:expr;)+) => {
        const STORES: &[entry::Entry] = &[$(
            #[cfg(feature = $feature)]
            entry::Entry {
                schemes: &[$($scheme),+],
                example: $example,
                parameter: $parameter,
                keeps_history: <[&str]>::len(&[$(stringify!($history),)?]) == 1,
                open: |url, node, place, history| {
                    $(let url = &$url(url);)?
                    let mut builder = <$provider>::$builder(url);
                    if let Some(node) = node {
                        builder = builder.node_name(node);
                    }
                    if let Some(place) = place {
                        builder = builder.$place(place);
                    }
                    $(if let Some(history) = history {
                        builder = builder.$history(history);
                    })?
                    // A store without the clause is not asked for a history.
                    let _asked = history;
                    Ok(Arc::new(builder.build()?))
                },
                schema: $schema,
            },
        )+];

        /// Features that are not built in, and their schemes.
        const MISSING: &[(&str, &[&str])] = &[$(
            #[cfg(not(feature = $feature))]
            ($feature, &[$($scheme),+]),
        )+];

        $(
            #[cfg(feature = $feature)]
            #[async_trait::async_trait]
            impl Store for $provider {
                async fn set_up(&self) -> Result<(), shedlock_runtime::LockError> {
                    $(self.$set_up().await?;)?
                    Ok(())
                }

                async fn begin(&self) -> Result<(), shedlock_runtime::LockError> {
                    $(self.$first().await?;)?
                    Ok(())
                }

                async fn inspect(&self) -> Result<Vec<String>, shedlock_runtime::LockError> {
                    $(
                        let $report = self.$check().await?;
                        return Ok($warnings);
                    )?
                    #[allow(unreachable_code, reason = "a store without a check of its own")]
                    Ok(Vec::new())
                }
            }
        )+
    };
}

/// Which runs are kept by a store whose URL asks for a history of this age.
pub(crate) fn history(entry: &Entry, kept: &str) -> Result<HistoryOptions, Failure> {
    if !entry.keeps_history {
        return Err(Failure::usage(format!(
            "stores such as `{}` keep no history of runs; leave `history` out of the URL",
            entry.example
        )));
    }
    Ok(HistoryOptions::new().with_keep_for(kept)?)
}

/// Takes the parameter out of the URL's query: it is for us, and a driver would refuse it.
pub(crate) fn without_parameter(url: &str, parameter: &str) -> (String, Option<String>) {
    let Some((rest, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut place = None;
    let mut others = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((key, value)) if key == parameter => {
                place = Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
            }
            _ => others.push(pair),
        }
    }
    if others.is_empty() {
        return (rest.to_owned(), place);
    }
    (format!("{rest}?{}", others.join("&")), place)
}

/// The URLs of the members that `etcd://user:password@a,b` means, and `etcds://` with TLS.
#[cfg(feature = "etcd")]
pub(crate) fn etcd_members(url: &str) -> String {
    let (scheme, members) = match url.split_once("://") {
        Some(("etcds", members)) => ("https", members),
        Some((_, members)) => ("http", members),
        None => ("http", url),
    };
    let members = members.split(',');
    let members = members.map(|member| format!("{scheme}://{member}"));
    members.collect::<Vec<_>>().join(",")
}

/// Whether the URL has a password or a token in it.
pub(crate) fn has_secret(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, query) = match rest.split_once('?') {
        Some((before, query)) => (before, query),
        None => (rest, ""),
    };
    // A password may have an unescaped `/` in it, so the last `@` before the query counts.
    let login = authority.rsplit_once('@').map(|(login, _)| login);
    let in_login = login.is_some_and(|login| match login.split_once(':') {
        Some((_, password)) => !password.is_empty(),
        // To NATS, a user without a password is a token.
        None => scheme == "nats" || scheme == "tls",
    });
    let in_query = query.split('&').any(|pair| {
        let key = pair.split('=').next().unwrap_or_default().to_lowercase();
        key.contains("pass") || key.contains("secret") || key.contains("token")
    });
    in_login || in_query
}

/// The URL without login and parameters.
pub(crate) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "..".to_owned();
    };
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = match before.rsplit_once('@') {
        Some((_, place)) => place,
        // A `?` in a password would look like the begin of the parameters.
        None if query.contains('@') => "..",
        None => before,
    };
    format!("{scheme}://{}", printable(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "etcd")]
    #[test]
    fn the_scheme_of_etcd_is_that_of_each_member() {
        assert_eq!(etcd_members("etcd://a:2379"), "http://a:2379");
        assert_eq!(
            etcd_members("etcds://user:x@a:2379,b:2379"),
            "https://user:x@a:2379,https://b:2379"
        );
    }

    #[test]
    fn a_parameter_of_ours_does_not_reach_the_driver() {
        let taken = |url| without_parameter(url, "table");
        let with = |url: &str, place: &str| (url.to_owned(), Some(place.to_owned()));
        assert_eq!(taken("pg://h/d?table=a.b"), with("pg://h/d", "a.b"));
        assert_eq!(
            taken("pg://h/d?sslmode=require&table=a%20b&x=1"),
            with("pg://h/d?sslmode=require&x=1", "a b")
        );
        assert_eq!(taken("pg://h/d?x=1"), ("pg://h/d?x=1".to_owned(), None));
    }

    #[test]
    fn no_part_of_a_password_is_shown() {
        for (url, shown) in [
            (
                "postgres://app:secret@db:5432/app?sslmode=require",
                "postgres://db:5432/app",
            ),
            ("postgres://app:se/cr@et@db/app", "postgres://db/app"),
            ("postgres://app:secr?et@db/app", "postgres://.."),
            ("postgres://db/app?password=se@cret", "postgres://.."),
            (
                "sqlite:///var/lib/shedlock.db?history=90d",
                "sqlite:///var/lib/shedlock.db",
            ),
            ("secret", ".."),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }

    #[test]
    fn passwords_are_found_wherever_drivers_take_them_from() {
        for url in [
            "postgres://app:secret@db/app",
            "redis://:secret@host",
            "postgres://db/app?user=app&password=x",
            "nats://token@host",
            "postgres://app:se/cr@et@db/app",
            "app:secret@db",
        ] {
            assert!(has_secret(url), "{url}");
        }
        for url in [
            "postgres://app@db/app",
            "postgres://app:@db:5432/app",
            "sqlite:///var/lib/shedlock.db",
            "redis://host:6379/0",
            "nats://a:4222,b:4222",
            "postgres://db/app?sslmode=verify-full",
        ] {
            assert!(!has_secret(url), "{url}");
        }
    }
}
