//! What happens when etcd refuses the login, or a right is missing.

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{ErrorKind, LockAdmin as _, LockError, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{extended, is_free, problem, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{config, node};

const ROOT: &str = "--user=root:s3cret";

async fn as_root(server: &Etcd, command: &str) -> String {
    let words: Vec<&str> = [ROOT].into_iter().chain(command.split(' ')).collect();
    server.execute(&words).await
}

/// Switches authentication on, with the user `jobs` who has the role `locks`.
async fn with_authentication(server: &Etcd) {
    for command in [
        "user add root:s3cret",
        "user grant-role root root",
        "user add jobs:p@ss,word",
        "role add locks",
        "user grant-role jobs locks",
        "auth enable",
    ] {
        server
            .execute(&command.split(' ').collect::<Vec<_>>())
            .await;
    }
}

fn user(server: &Etcd, login: &str) -> EtcdLockProvider {
    node(&server.url().replace("http://", &format!("http://{login}@")))
}

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    let server = server_or_skip!(Etcd::start().await);
    let nobody = node(&server.url());
    let root = user(&server, "root:s3cret");
    assert!(is_free(&nobody, "a").await);
    assert!(
        is_free(&root, "a").await,
        "without authentication, no login is needed"
    );
    with_authentication(&server).await;
    for node in [
        &nobody,
        &user(&server, "root:wr0ng"),
        &user(&server, "who:s3cret"),
    ] {
        let refused = problem(node, "a").await;
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
        let said = format!("{refused} {refused:?}");
        assert!(said.contains("http://user:password@"), "{said}");
        assert!(
            !said.contains("wr0ng") && !said.contains("s3cret"),
            "{said}"
        );
    }
    // The provider that was there before logs in, with the next call.
    assert!(is_free(&root, "a").await);
    assert!(!format!("{root:?}").contains("s3cret"));
    as_root(&server, "auth disable").await;
    assert!(is_free(&root, "a").await && is_free(&nobody, "a").await);
}

/// etcd forgets tokens when it restarts, and refuses those from before a change of users.
#[tokio::test]
async fn a_token_that_is_too_old_is_replaced_within_the_call() {
    let server = server_or_skip!(Etcd::start().await);
    with_authentication(&server).await;
    let root = user(&server, "root:s3cret");
    let mut lock = taken(&root, "a").await;
    server.kill().await.expect("the server runs");
    server.restart().await.expect("the server comes back");
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    as_root(&server, "user add other:s3cret").await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    as_root(&server, "role add other").await;
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
}

/// The rights in the README are enough, and each of them is needed.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let server = server_or_skip!(Etcd::start().await);
    with_authentication(&server).await;
    let node = user(&server, "jobs:p%40ss%2Cword");
    let use_all = async || -> Result<(), LockError> {
        let config = config().with_instant(std::time::SystemTime::now())?;
        let mut lock = node.try_lock(config.clone()).await?.expect("it is free");
        assert!(node.try_lock(config).await?.is_none());
        lock.extend("10m", "0s").await?;
        lock.complete().await?;
        assert_eq!(node.list().await?, []);
        node.prune(std::time::Duration::ZERO).await?;
        Ok(())
    };
    let refused = use_all().await.expect_err("no right");
    assert_eq!(refused.kind(), ErrorKind::Permission, "{refused:?}");
    assert!(
        refused.to_string().contains("grant-permission"),
        "{refused}"
    );
    let rights = ["shedlock:", "shedlock-holder:", "shedlock-position:"];
    for missing in rights {
        for right in rights {
            let verb = if right == missing { "revoke" } else { "grant" };
            let right = match verb {
                "grant" => format!("readwrite {right}"),
                _ => right.to_owned(),
            };
            let command = format!("role {verb}-permission --prefix=true locks {right}");
            let words: Vec<&str> = [ROOT].into_iter().chain(command.split(' ')).collect();
            // At first there is nothing to revoke.
            let _either = server.try_execute(&words).await;
        }
        let refused = use_all().await.expect_err(missing);
        assert_eq!(
            refused.kind(),
            ErrorKind::Permission,
            "without {missing}: {refused:?}"
        );
    }
    for right in rights {
        as_root(
            &server,
            &format!("role grant-permission --prefix=true locks readwrite {right}"),
        )
        .await;
    }
    use_all().await.expect("the rights are enough");
    // A right to read alone.
    as_root(
        &server,
        "role revoke-permission --prefix=true locks shedlock:",
    )
    .await;
    as_root(
        &server,
        "role grant-permission --prefix=true locks read shedlock:",
    )
    .await;
    let refused = problem(&node, "a").await;
    assert_eq!(refused.kind(), ErrorKind::Permission, "{refused:?}");
    assert_eq!(
        as_root(&server, "lease list").await.lines().count(),
        1,
        "a lease was left"
    );
}
