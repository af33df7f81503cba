//! The macro `conformance!`, and the tests that it makes of the [cases](super::cases).

/// Generates the conformance tests for one provider: a module with one `#[test]` for each case.
///
/// The first argument is the name of the module. The second argument is a future whose output is the [`Harness`](crate::Harness) of one
/// case, or a `Result<Harness, Unavailable>`. The future can use the items in scope where the macro is called.
///
/// With `processes = connect`, the suite also runs nodes as separate processes, which connect to the harness's
/// [`address`](crate::Harness::address). `connect` is an `async fn(address: String, node: String) -> Arc<dyn LockProvider>` that makes a
/// node in such a process.
///
/// See [the module](mod@crate::conformance) for an example.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $setup:expr, processes = $connect:expr $(,)?) => {
        $crate::__conformance_cases!(($crate::__conformance_tests) $name, $setup, $connect);
    };
    ($name:ident, $setup:expr $(,)?) => {
        $crate::__conformance_cases!(($crate::__conformance_tests) $name, $setup);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (($name:ident, $setup:expr $(, $connect:expr)?) $($group:ident { $($case:ident)* })*) => {
        mod $name {
            // Apart from the cases, whose names must not get between the setup and what it names.
            mod setup {
                #[allow(unused_imports, reason = "the setup may need nothing from around it")]
                use super::super::*;

                pub(super) async fn harness() -> impl $crate::conformance::IntoHarness {
                    $setup.await
                }

                $(pub(super) fn serve() {
                    $crate::processes::serve($connect);
                })?
            }

            $(mod $group {
                $(#[test]
                fn $case() {
                    $crate::conformance::run(
                        concat!(module_path!(), "::", stringify!($case)),
                        super::setup::harness(),
                        async |subject: &$crate::conformance::Subject| {
                            $crate::conformance::$group::$case(subject).await;
                        },
                    );
                })*
            })*

            $($crate::__conformance_process_cases! {
                ($crate::__conformance_process_tests) $connect
            })?
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_process_tests {
    (($connect:expr) $group:ident { $($case:ident)* }) => {
        mod $group {
            #[test]
            #[ignore = "runs as the child of the tests beside it"]
            fn child() {
                super::setup::serve();
            }

            $(#[test]
            fn $case() {
                let nodes = $crate::processes::Reexec::new(concat!(module_path!(), "::child"));
                $crate::conformance::run(
                    concat!(module_path!(), "::", stringify!($case)),
                    super::setup::harness(),
                    async |subject: &$crate::conformance::Subject| {
                        $crate::conformance::$group::$case(subject, &nodes).await;
                    },
                );
            })*
        }
    };
}
