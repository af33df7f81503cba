//! The web page of the real program: where it listens, who may change what, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Site;

const TOKEN: &str = "jM0wd8pXq2Rk7vTz";

/// The program, and where it says that the page is.
struct Served {
    child: Child,
    address: SocketAddr,
    greeting: String,
}

impl Served {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let greeting = lines.next().unwrap().unwrap();
        let url = greeting.split("http://").nth(1).expect("a URL");
        let address = url.split('/').next().unwrap().parse().unwrap();
        Self {
            child,
            address,
            greeting,
        }
    }

    fn ask(&self, request: &str, headers: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(self.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        socket.set_read_timeout(limit).unwrap();
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "host: localhost\r\n", "")
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A file that its owner alone can read.
fn private(site: &Site, name: &str, text: &str) {
    fs::write(site.path(name), text).unwrap();
    fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

fn serve(site: &Site, options: &[&str]) -> Command {
    let mut command = site.command(["serve", "--listen", "127.0.0.1:0"]);
    command.args(options).env_remove("SHEDLOCK_OPERATOR_TOKENS");
    command
}

#[test]
fn the_page_shows_the_locks_and_ends_with_sigterm() {
    let site = Site::new();
    assert_eq!(site.run(["pause", "mail", "--for", "1h"]).code, 0);
    let mut served = Served::start(&mut serve(&site, &[]));
    assert!(
        served.greeting.ends_with("/, read-only"),
        "{}",
        served.greeting
    );
    let page = served.get("/locks");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("mail") && page.contains("paused"), "{page}");
    let pause = "{\"name\":\"mail\",\"why\":\"x\"}";
    let headers = "host: localhost\r\ncontent-type: application/json\r\n";
    let refused = served.ask("POST /api/v1/lock/resume", headers, pause);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");

    // A stream that is open does not hold the program up.
    let mut stream = TcpStream::connect(served.address).unwrap();
    let request = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let began = Instant::now();
    served.signal(Signal::SIGTERM);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn operators_come_from_a_file_or_the_environment() {
    let site = Site::new();
    assert_eq!(site.run(["pause", "mail", "--for", "1h"]).code, 0);
    private(&site, "operators", &format!("# ours\nada:{TOKEN}\n"));
    let mut by_variable = serve(&site, &[]);
    by_variable.env("SHEDLOCK_OPERATOR_TOKENS", format!("ada:{TOKEN}"));
    let by_file = serve(&site, &["--operator-tokens", "operators"]);
    for (mut command, done) in [
        (by_file, "\"resumed\""),
        (by_variable, "\"was_not_paused\""),
    ] {
        let mut served = Served::start(&mut command);
        assert!(
            !served.greeting.contains("read-only"),
            "{}",
            served.greeting
        );
        let body = "{\"name\":\"mail\",\"why\":\"x\"}";
        let kind = "host: localhost\r\ncontent-type: application/json\r\n";
        let token = format!("{kind}authorization: Bearer {TOKEN}\r\n");
        let path = "POST /api/v1/lock/resume";
        assert!(served.ask(path, kind, body).starts_with("HTTP/1.1 401"));
        let answer = served.ask(path, &token, body);
        assert!(answer.contains(done), "{answer}");
        served.signal(Signal::SIGINT);
        assert_eq!(served.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn only_its_own_hosts_are_answered_on_loopback() {
    let site = Site::new();
    let served = Served::start(&mut serve(&site, &["--host", "locks.example"]));
    for (host, status) in [
        ("evil.example", "421"),
        ("locks.example", "200"),
        ("127.0.0.1:1", "200"),
    ] {
        let answer = served.ask("GET /healthz", &format!("host: {host}\r\n"), "");
        assert!(answer.contains(status), "{host}: {answer}");
    }
}

#[test]
fn a_body_that_does_not_come_ends_the_request() {
    let site = Site::new();
    let served = Served::start(&mut serve(&site, &[]));
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let mut sockets = [
        ("/api/v1/lock/resume", json),
        ("/lock?name=a", form),
        ("/api/v1/lock/pause", json),
    ]
    .map(|(path, kind)| {
        let mut socket = TcpStream::connect(served.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        socket.set_read_timeout(limit).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket
    });
    // A body that comes drop by drop is no better.
    let mut slow = sockets[2].try_clone().unwrap();
    std::thread::spawn(move || {
        while slow.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    for socket in &mut sockets {
        let mut answer = Vec::new();
        let ended = socket.read_to_end(&mut answer);
        let is_late = ended.is_err_and(|error| error.kind() != ErrorKind::ConnectionReset);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 408") && !is_late, "{answer}");
    }
}

#[test]
fn what_cannot_be_served_is_said_before_anything_is_served() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    private(&site, "bare", TOKEN);
    private(&site, "weak", "ada:short");
    private(&site, "empty", "# nobody\n");
    private(&site, "open", &format!("ada:{TOKEN}"));
    fs::set_permissions(site.path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    for (arguments, code, part) in [
        (vec!["--listen", &taken], 78, "cannot listen"),
        (vec!["--listen", "localhost"], 64, "--listen"),
        (vec!["--operator-tokens", "none"], 78, "none"),
        (vec!["--operator-tokens", "bare"], 78, "name:token"),
        (vec!["--operator-tokens", "weak"], 78, "16 characters"),
        (vec!["--operator-tokens", "empty"], 78, "no operators"),
        (vec!["--operator-tokens", "open"], 78, "chmod 600"),
        (vec!["--refresh", "1ms"], 78, "1ms"),
    ] {
        let ended = site.run([vec!["serve"], arguments].concat());
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.err.contains(part), "{ended:?}");
        assert!(!ended.err.contains(TOKEN), "{ended:?}");
    }
}
