//! Cases for lock names: every legal name is a separate lock, and an illegal name never reaches the store.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::testing::FaultyProvider;
use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Operation};

use super::node::Node;
use super::subject::{LONG, Subject, config, fresh};

/// Names that careless quoting, escaping, comparing or truncating would mistake for one another or for syntax.
const ODD: &[&str] = &[
    "job",
    "Job",
    "JOB",
    "job ",
    " job",
    "job  ",
    "jób",
    "jo\u{301}b",
    "j\u{f3}b.",
    "job\u{a0}",
    "ｊob",
    "ﬀ",
    "ff",
    "ß",
    "ss",
    "i",
    "ı",
    "İ",
    "🦀",
    "👩‍👩‍👧",
    "👩",
    "中文",
    "\u{202e}boj",
    "\u{feff}job",
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\\\",
    "\\'",
    "%",
    "_",
    "j_b",
    "j%",
    "'; DROP TABLE shedlock; --",
    "' OR '1'='1",
    "$1",
    "?",
    ":name",
    "{}",
    "{job}",
    "${job}",
    "#{job}",
    "*",
    "job*",
    ">",
    "a.b",
    "a/b",
    "a\\b",
    "../job",
    "/job",
    "job/",
    ".",
    "..",
    "-",
    "--",
    "#",
    "a#b",
    "a:b",
    "a b",
    "a+b",
    "a%2Fb",
    "a=b",
    "a,b",
    "a;b",
    "a&b",
    "a|b",
    "<img onerror=x>",
    "null",
    "NULL",
    "0",
    "00",
    "1e3",
    "true",
    "[]",
    "(",
    "@",
    "~",
    "^",
    "!",
];

/// Unusual legal names are all accepted, and each is a separate lock.
pub async fn odd_names_are_distinct_locks(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let mark = fresh("x");
    // Some stores share one table between cases: the mark makes the names ours, and the odd part stays first or last.
    for (round, name) in [
        |odd: &str, mark: &str| format!("{mark}{odd}"),
        |odd: &str, mark: &str| format!("{odd}{mark}"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut held = Vec::new();
        for odd in ODD {
            let lock = name(odd, &mark);
            match one.try_seize(config(&lock, LONG, Duration::ZERO)).await {
                Ok(lease) => held.push((lock, lease)),
                Err(refusal) => {
                    panic!(
                        "round {round}: `{lock}` is refused though only other names are held: {refusal:?}"
                    )
                }
            }
        }
        for (lock, _) in &held {
            two.must_be_refused(lock).await;
        }
        while let Some((lock, lease)) = held.pop() {
            one.release(&lease).await;
            two.must_be_free(&lock).await;
            if let Some((other, _)) = held.last() {
                two.must_be_refused(other).await;
            }
        }
    }
}

/// The shortest name and the longest name that the provider accepts work, also with characters of four bytes.
pub async fn short_and_long_names_work(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    // The runtime takes no name of more than 1024 bytes, whatever the provider says.
    let capabilities = one.provider().info().capabilities().clone();
    let max = capabilities.max_name_chars();
    let most = capabilities.max_name_bytes().min(1024);
    let tail = fresh("");
    let long = |fill: char, limit: usize| {
        let chars = max
            .min(limit / fill.len_utf8() - tail.len())
            .saturating_sub(tail.len());
        format!("{}{tail}", String::from(fill).repeat(chars))
    };
    for lock in [
        long('x', most),
        long('🦀', most),
        long('é', most),
        long(' ', most),
    ] {
        let held = one.seize(&lock, LONG).await;
        two.must_be_refused(&lock).await;
        // A name that was cut would be the same as this one.
        let mut shorter = lock.clone();
        shorter.pop();
        two.must_be_free(&shorter).await;
        one.release(&held).await;
        two.must_be_free(&lock).await;
    }
    // One character alone cannot be ours alone: another case may hold it for a moment.
    let shortest = one.seize_when_free("x").await;
    one.release(&shortest).await;
}

/// A name that is longer than the store's limit is refused before the provider asks the store.
pub async fn a_name_too_long_never_reaches_the_store(subject: &Subject) {
    let provider = subject.harness().node("one").await;
    Node::from_provider(Arc::clone(&provider)).warm_up().await;
    let max = provider.info().capabilities().max_name_chars();
    let max_bytes = provider.info().capabilities().max_name_bytes();
    let counted = FaultyProvider::new(Arc::clone(&provider));
    if let Ok(config) = LockConfiguration::new("x".repeat(max_bytes.min(1024) + 1), LONG) {
        let refused = counted.try_lock(config).await.err();
        let kind = refused.map(|error| error.kind());
        assert_eq!(
            kind,
            Some(ErrorKind::InvalidName),
            "{} bytes",
            max_bytes + 1
        );
        assert_eq!(counted.calls(Operation::Acquire), 0);
    }
    if max_bytes < 1024 && max >= max_bytes {
        return;
    }
    if max >= 1024 {
        return subject.not_applicable("the provider takes names as long as the runtime does");
    }
    let wanted = subject.harness().name_chars();
    assert!(
        max >= wanted,
        "names of up to {wanted} characters are in use, and {max} are allowed"
    );
    for fill in ["x", "🦀"] {
        let name = fill.repeat(max + 1);
        let Ok(config) = LockConfiguration::new(&name, LONG) else {
            continue;
        };
        let Err(error) = counted.try_lock(config).await else {
            panic!("a name of {} characters was taken to the store", max + 1)
        };
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{error:?}");
        assert!(!error.is_transient());
        let message = error.to_string();
        assert!(
            message.contains(&max.to_string()) && message.contains(&(max + 1).to_string()),
            "{message}"
        );
    }
    assert_eq!(counted.calls(Operation::Acquire), 0);
}

/// An empty name and a name with control characters are refused when the configuration is made.
#[expect(
    clippy::unused_async,
    reason = "a case is async; this one ends before there is a store"
)]
pub async fn an_illegal_name_never_reaches_the_store(_subject: &Subject) {
    for name in [
        "",
        "a\0b",
        "\0",
        "a\nb",
        "a\rb",
        "a\tb",
        "\u{1b}]0;pwn\u{7}",
        "a\u{7f}",
        "a\u{85}",
    ] {
        match LockConfiguration::new(name, LONG) {
            Ok(_) => panic!("{name:?} was accepted"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}: {error:?}"),
        }
    }
}

/// Any node name works, since a node name may come from the host.
pub async fn odd_node_names_do_no_harm(subject: &Subject) {
    let two = subject.node("two").await;
    for name in [
        "'; DROP TABLE shedlock; --",
        "a#b",
        "#",
        "",
        "🦀",
        "a\0b\n",
        &"x".repeat(1_000),
        &"🦀".repeat(1_000),
    ] {
        let node = subject.node(name).await;
        let lock = fresh("odd-node");
        let held = node.seize(&lock, LONG).await;
        two.must_be_refused(&lock).await;
        node.extend(&held, LONG).await;
        node.release(&held).await;
        two.must_be_free(&lock).await;
    }
}
