//! `run --ping`: a service hears when a run begins and how it ended.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::{PATIENCE, Site, ended};

/// A web server that answers with `status`, and tells the paths that it was asked for.
fn service(status: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/uuid-1234",
        listener.local_addr().expect("an address")
    );
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Ends with the test.
            let Ok(path) = stream.and_then(|stream| answered(stream, status)) else {
                continue;
            };
            if tell.send(path).is_err() {
                return;
            }
        }
    });
    (url, told)
}

fn answered(mut stream: TcpStream, status: &str) -> std::io::Result<String> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut part)?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(&part[..read]);
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let request = String::from_utf8_lossy(&request).into_owned();
    Ok(request.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn next(told: &Receiver<String>) -> (String, String) {
    let path = told.recv_timeout(PATIENCE).expect("a ping");
    let (path, run) = path.split_once("?rid=").expect("the run's id");
    assert_eq!(run.len(), 36, "{run}");
    (path.to_owned(), run.to_owned())
}

#[test]
fn the_service_hears_of_the_begin_and_of_the_end() {
    let site = Site::new();
    for (code, end) in [("0", "/uuid-1234"), ("3", "/uuid-1234/3")] {
        let (url, told) = service("200 OK");
        let mut run = site.command(["run", "--name", "a", "--", "sh", "-c"]);
        let script = format!("test -z \"$SHEDLOCK_PING\" && exit {code}");
        let ran = ended(run.arg(script).env("SHEDLOCK_PING", &url));
        assert_eq!(
            (ran.code.to_string().as_str(), ran.err.as_str()),
            (code, "")
        );
        let (start, stop) = (next(&told), next(&told));
        assert_eq!(
            (start.0.as_str(), stop.0.as_str()),
            ("/uuid-1234/start", end)
        );
        assert_eq!(start.1, stop.1, "both are of one run");
    }
}

#[test]
fn a_run_that_is_skipped_is_not_told() {
    let site = Site::new();
    let (url, told) = service("200 OK");
    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    let ran = site.run(["run", "--name", "a", "--ping", &url, "--", "true"]);
    assert_eq!(ran.code, 75);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_service_that_fails_is_no_failure_of_the_job_and_its_url_is_not_told() {
    let site = Site::new();
    let (refusing, _told) = service("404 Not Found");
    // Nothing listens there.
    let nowhere = "http://127.0.0.1:1/uuid-1234".to_owned();
    for (url, problem) in [(refusing, "404"), (nowhere, "could not be reached")] {
        let ran = site.run([
            "run", "--name", "a", "--ping", &url, "--", "sh", "-c", "exit 3",
        ]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(
            ran.err.contains("the ping failed") && ran.err.contains(problem),
            "{ran:?}"
        );
        assert!(!ran.err.contains("uuid-1234"), "{ran:?}");
        let quiet = site.run(["run", "--name", "a", "-q", "--ping", &url, "--", "true"]);
        assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    }
}

#[test]
fn a_url_that_is_none_is_wrong_usage_and_not_repeated() {
    let site = Site::new();
    let mut run = site.command(["run", "--name", "a", "--", "touch", "ran"]);
    let ran = ended(run.env("SHEDLOCK_PING", "hc-ping.com/uuid-1234"));
    assert_eq!(ran.code, 64);
    assert!(!ran.err.contains("uuid-1234"), "{ran:?}");
    assert!(!site.path("ran").exists());
    let mut help = site.command(["run", "--help"]);
    let help = ended(help.env("SHEDLOCK_PING", "https://hc-ping.com/uuid-1234"));
    assert!(
        help.out.contains("--ping") && !help.out.contains("uuid-1234"),
        "{help:?}"
    );
}
