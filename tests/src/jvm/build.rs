//! Building the Maven project.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use once_cell::sync::OnceCell;
use shedlock_testkit::servers::Unavailable;

use super::JavaPeer;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jvm/pom.xml");

static PEER: OnceCell<JavaPeer> = OnceCell::new();

pub(super) fn once(target: &Path) -> Result<&'static JavaPeer, Unavailable> {
    for program in ["java", "javac", "mvn"] {
        if let Err(error) = Command::new(program).arg("-version").output() {
            return Err(Unavailable::installable(
                "the JVM peer",
                format!("`{program}` does not start: {error}"),
                "apt-get install -y default-jdk-headless maven",
            ));
        }
    }
    Ok(PEER.get_or_init(|| build(target)))
}

fn build(target: &Path) -> JavaPeer {
    let target = target.join("jvm-peer");
    fs::create_dir_all(&target)
        .unwrap_or_else(|error| panic!("failed to create `{}`: {error}", target.display()));
    // Test processes of one workspace share the directory. The lock goes with the file handle.
    let lock = File::create(target.join("build.lock"))
        .and_then(|file| file.lock().map(|()| file))
        .unwrap_or_else(|error| panic!("failed to lock `{}`: {error}", target.display()));
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file", PROJECT, "package"])
        .arg(format!("-Dpeer.target={}", target.display()))
        .output()
        .unwrap_or_else(|error| panic!("failed to start `mvn`: {error}"));
    drop(lock);
    assert!(
        output.status.success(),
        "failed to build the JVM peer: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    JavaPeer {
        class_path: target.join("lib"),
    }
}
