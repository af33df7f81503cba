//! The recipes do what they say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Site, ended};

fn recipe(name: &str) -> String {
    let path = format!("{}/recipes/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The part of `text` behind `mark`, up to the end of the line.
fn behind<'a>(text: &'a str, mark: &str) -> &'a str {
    let at = text
        .find(mark)
        .unwrap_or_else(|| panic!("no {mark} in {text}"));
    text[at + mark.len()..].lines().next().unwrap_or_default()
}

#[test]
fn the_lines_of_the_crontab_run() {
    let site = Site::new();
    fs::create_dir(site.path("bin")).unwrap();
    let lines: Vec<_> = recipe("crontab").lines().map(str::to_owned).collect();
    let jobs: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("shedlock run"))
        .collect();
    assert_eq!(jobs.len(), 2, "{lines:?}");
    for job in jobs {
        // Five fields say when.
        let command = job.split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
        let command = command.replace("/usr/local/bin/", "");
        let script = format!(
            "sync-orders() {{ :; }}; PATH={}:$PATH; {command}",
            site.path("bin").display()
        );
        for program in ["sync-orders", "nightly-report"] {
            let path = site.path(&format!("bin/{program}"));
            fs::write(&path, "#!/bin/sh\necho ran $(basename $0) >>ran\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let script = script.trim_start_matches("sync-orders() { :; }; ");
        let ran = ended(&mut site.shell(script));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{script}");
    }
    assert_eq!(site.read("ran"), "ran sync-orders\nran nightly-report\n");
}

#[test]
fn the_unit_of_systemd_has_options_that_the_program_knows() {
    let site = Site::new();
    let unit = recipe("systemd/nightly-report.service");
    let line = behind(&unit, "ExecStart=");
    let arguments: Vec<_> = line.split_whitespace().skip(1).collect();
    let (options, _) = arguments.split_at(arguments.iter().position(|part| *part == "--").unwrap());
    let ran = site.run(options.iter().chain(&["--", "true"]));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    // The second node of the same night.
    let second = site.run(options.iter().chain(&["--", "true"])).code;
    let fine = behind(&unit, "SuccessExitStatus=");
    assert!(
        fine.split_whitespace()
            .any(|code| code == second.to_string()),
        "{second} is not in {fine}"
    );
    assert!(recipe("systemd/nightly-report.timer").contains("OnCalendar="));
}

#[test]
fn the_cron_job_of_kubernetes_has_options_that_the_program_knows() {
    let site = Site::new();
    let manifest = recipe("kubernetes-cronjob.yaml");
    let arguments = behind(&manifest, "command: ");
    let arguments: Vec<String> = serde_json::from_str(arguments).expect("a list in JSON's form");
    let (options, command) =
        arguments.split_at(arguments.iter().position(|part| part == "--").unwrap());
    assert_eq!((options[0].as_str(), command.len()), ("shedlock", 2));
    let options = options[1..].iter().map(String::as_str);
    let ran = site.run(options.chain(["--", "true"]));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(manifest.contains("SHEDLOCK_STORE") && manifest.contains("secretKeyRef"));
}

#[test]
fn the_job_of_a_ci_server_deploys_once_at_a_time() {
    let site = Site::new();
    fs::write(
        site.path("deploy.sh"),
        "mkdir busy || echo overlap >>overlaps; sleep 0.2; rmdir busy; echo ran >>ran\n",
    )
    .unwrap();
    fs::set_permissions(site.path("deploy.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(site.path("ci-job.sh"), recipe("ci-job.sh")).unwrap();
    let jobs: Vec<_> = (0..3)
        .map(|_| crate::support::Running::start(&mut site.shell("sh ./ci-job.sh")))
        .collect();
    for job in jobs {
        let ran = job.wait();
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert_eq!(
        (
            site.read("overlaps").as_str(),
            site.read("ran").lines().count()
        ),
        ("", 3)
    );
}
