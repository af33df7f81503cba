use std::path::PathBuf;

/// The built example `name`, for the tests of its package.
///
/// `cargo test` builds all examples of a package before it runs a test; with `--test` alone, build them first.
///
/// # Panics
///
/// If the example has not been built.
#[must_use]
pub fn built_example(name: &str) -> PathBuf {
    // A test is in `target/<profile>/deps`, an example in `target/<profile>/examples`.
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test is in `deps`");
    let path = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "`{name}` has not been built: run `cargo build --workspace --examples`"
    );
    path
}
