//! Test programs that run once more, on another server than the one that the machine has: a fork, or a newer version.
//!
//! The program is the same. The test kit reads from a variable which server to start.

use crate::servers::{self, Missing};
use std::path::PathBuf;

/// Programs of one package that run once more.
#[derive(Debug)]
pub(super) struct Rerun {
    /// The server, as the table of needs calls it.
    pub(super) server: &'static str,
    /// The package's folder.
    package: &'static str,
    /// The programs, each with the filters for its tests: those that the server can make a difference to, or all without a filter.
    programs: &'static [(&'static str, &'static [&'static str])],
    /// The variable that the test kit reads.
    pub(super) variable: &'static str,
    /// What the variable names, in the folder of the server.
    path: &'static str,
}

const RERUNS: &[Rerun] = &[
    Rerun {
        server: "Valkey",
        package: "providers/shedlock-redis",
        programs: &[
            ("conformance", &[]),
            ("positions", &[]),
            ("cluster", &[]),
            ("wire", &[]),
            // Broken connections are the same ones.
            ("faults", &["refusals", "sentinels", "servers"]),
        ],
        variable: "SHEDLOCK_TEST_REDIS_SERVER",
        path: "bin/valkey-server",
    },
    Rerun {
        server: "PostgreSQL 18",
        package: "providers/shedlock-postgres",
        programs: &[
            // Where a provider gets its connections makes no difference to the server.
            ("conformance", &["url::"]),
            ("counts", &[]),
            ("faults", &[]),
            ("history", &[]),
            ("night", &["doubt", "farewells", "tables", "transactions"]),
            // Not `tls`: the build that can be had as a binary is without TLS.
            ("transactions", &[]),
            ("wire", &[]),
        ],
        variable: "SHEDLOCK_TEST_POSTGRES_BIN",
        path: "bin",
    },
];

impl Rerun {
    /// What the variable is set to, unless the server is missing.
    pub(super) fn value(&self) -> anyhow::Result<Result<PathBuf, Missing>> {
        let release = servers::release(self.server)?;
        Ok(release.map(|folder| folder.join(self.path)))
    }

    /// Why nothing of it runs.
    pub(super) fn skip(&self, program: &str, missing: &Missing) -> String {
        let server = self.server;
        format!(
            "{program} on {server}: {server} is missing: {}",
            missing.why
        )
    }
}

/// How the program `name` of `package` runs once more: where, and with which filters.
pub(super) fn of(
    package: &str,
    name: &str,
) -> impl Iterator<Item = (&'static Rerun, &'static [&'static str])> {
    let of_package = RERUNS.iter().filter(move |rerun| rerun.package == package);
    of_package.flat_map(move |rerun| {
        let programs = rerun.programs.iter();
        let named = programs.filter(move |(program, _)| *program == name);
        named.map(move |(_, filters)| (rerun, *filters))
    })
}

#[cfg(test)]
mod tests {
    use super::{RERUNS, of};
    use crate::{servers, workspace};

    #[test]
    fn every_program_and_every_server_is_known() {
        let root = workspace::root().unwrap();
        for rerun in RERUNS {
            assert!(servers::release(rerun.server).is_ok(), "{rerun:?}");
            for (program, _) in rerun.programs {
                let tests = root.join(rerun.package).join("tests");
                let (file, folder) = (tests.join(format!("{program}.rs")), tests.join(program));
                assert!(file.is_file() || folder.is_dir(), "{rerun:?}: {program}");
            }
        }
    }

    #[test]
    fn a_program_runs_again_on_each_of_its_servers() {
        let on = |package: &str, program: &str| -> Vec<_> {
            of(package, program)
                .map(|(rerun, filters)| (rerun.server, filters))
                .collect()
        };
        let none: &[&str] = &[];
        assert_eq!(on("providers/shedlock-redis", "wire"), [("Valkey", none)]);
        assert_eq!(
            on("providers/shedlock-postgres", "conformance"),
            [("PostgreSQL 18", ["url::"].as_slice())]
        );
        assert_eq!(on("providers/shedlock-nats", "conformance"), []);
    }
}
