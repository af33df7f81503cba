//! Two holders that nothing tells apart but what they drew by lot.

use std::time::Duration;

use shedlock_testkit::processes::{NodeProcess, Reexec, serve};
use shedlock_testkit::skip;

use crate::support::{Notes, Place, cases, connect, in_time, is_free};

cases! {
    a6_two_containers_with_one_host_name_and_one_pid on sqlite postgres;
}

const NOTES: &str = "SHEDLOCK_FAULTS_ALIKE";
const MINUTE: Duration = Duration::from_mins(1);

#[test]
#[ignore = "runs as the child of the other tests of this file"]
fn node() {
    if let Some(path) = std::env::var_os(NOTES) {
        Notes::open(path.as_ref()).note(&format!("pid {}", std::process::id()));
    }
    serve(|url, _node| async move { connect(&url).await });
}

async fn a6_two_containers_with_one_host_name_and_one_pid(place: Place) {
    let container = ["unshare", "--pid", "--fork", "--kill-child"];
    if !rustix::process::geteuid().is_root() {
        skip!("a process namespace needs root");
    }
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let path = directory.path().join("notes");
    let start = async || -> NodeProcess {
        let node = Reexec::new(concat!(module_path!(), "::node"))
            .started_by(&container)
            .env(NOTES, &path);
        in_time(node.node(&place.url, "node"))
            .await
            .expect("it connects")
    };
    let (mut one, mut two) = (start().await, start().await);
    let pids = crate::support::Note::read(&path);
    assert!(
        pids.iter().all(|note| note.what == "pid 1") && pids.len() == 2,
        "{pids:?}"
    );
    let told = "the store answers";
    let brief = Duration::from_secs(3);
    assert!(one.lock("job", brief, Duration::ZERO).await.expect(told));
    assert!(
        !two.lock("job", MINUTE, Duration::ZERO).await.expect(told),
        "it is the other's"
    );
    in_time(async { while !two.lock("job", MINUTE, Duration::ZERO).await.expect(told) {} }).await;
    // What the first one still has to say is about its own lock, and that is gone.
    assert!(!one.extend("job", MINUTE).await.expect(told));
    assert!(!one.unlock("job").await.expect(told));
    assert!(
        !is_free(&place.connect().await, "job").await,
        "it is the second one's"
    );
    assert!(two.extend("job", MINUTE).await.expect(told));
    assert!(two.unlock("job").await.expect(told));
}
