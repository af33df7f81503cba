//! Many locks, many readers, and stores that fail or are slow.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use shedlock_dashboard::Dashboard;
use shedlock_runtime::ErrorKind;
use shedlock_testkit::requests::until;

use crate::scene::Scene;
use crate::support::{Server, TOKEN, ask, dashboard, get};

#[tokio::test]
async fn a_thousand_locks_make_a_small_page() {
    let mut scene = Scene::new();
    for at in 0..1_000 {
        let name = format!("tenant-{at:04}:nightly-report");
        scene = match at % 20 {
            0 => scene.held(&name, "web-2", 60, 240, at),
            _ => scene.free(&name),
        };
        if at % 31 == 0 {
            scene = scene.runs(&name, &["web-1", "web-2", "web-3"], 30, 20);
        }
    }
    let router = dashboard(Arc::new(scene)).build().unwrap().router();
    get(&router, "/locks").await;
    let began = Instant::now();
    let page = get(&router, "/locks").await.text;
    let took = began.elapsed();
    assert!(page.contains("1,000") && page.contains("Page 1 of 20"));
    assert!(page.len() < 200 * 1024, "{} bytes", page.len());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let files = ["/dashboard.css", "/dashboard.js", "/icon.svg"];
    let mut bytes = 0;
    for file in files {
        bytes += get(&router, file).await.text.len();
    }
    assert!(bytes < 60 * 1024, "{bytes} bytes");
}

#[tokio::test]
async fn readers_share_what_is_read_and_nobody_is_read_for_nobody() {
    let scene = Arc::new(Scene::new().free("mail"));
    let built = Dashboard::builder(Arc::clone(&scene) as _).refresh("1h");
    let router = built.build().unwrap().router();
    assert_eq!(scene.reads(), 0);
    for _ in 0..20 {
        get(&router, "/locks").await;
    }
    assert_eq!(scene.reads(), 1);
}

#[tokio::test]
async fn a_store_that_fails_and_recovers() {
    let scene = Arc::new(Scene::new().free("mail"));
    let router = dashboard(Arc::clone(&scene)).build().unwrap().router();
    scene.fail(Some("no <route> to the store"));
    let page = get(&router, "/locks").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.text.contains("The store cannot be read"),
        "{}",
        page.text
    );
    assert!(page.text.contains("no &lt;route&gt; to the store"));
    let json = get(&router, "/api/v1/snapshot").await;
    assert_eq!(json.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&router, "/healthz").await.status, StatusCode::OK);

    scene.fail(None);
    let shows = async |part: &str| get(&router, "/locks").await.text.contains(part);
    until("the locks are shown", async || shows("mail").await).await;
    scene.fail(Some("gone again"));
    until("the failure is shown", async || shows("gone again").await).await;
    let page = get(&router, "/locks").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("What you see is") && page.text.contains("mail"));
    let json = get(&router, "/api/v1/snapshot").await.json();
    assert!(json["failure"].as_str().unwrap().contains("gone again"));
    assert_eq!(json["locks"][0]["name"], "mail");
}

#[tokio::test]
async fn a_store_that_does_not_answer_holds_no_page_up() {
    let scene = Arc::new(Scene::new().free("mail"));
    let router = dashboard(Arc::clone(&scene)).build().unwrap().router();
    get(&router, "/locks").await;
    scene.hang();
    let is_old = async || {
        let page = get(&router, "/locks").await;
        page.status == StatusCode::OK && page.text.contains("What you see is")
    };
    until("the age is shown", is_old).await;
    let began = Instant::now();
    let page = get(&router, "/lock?name=mail").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let built = dashboard(Arc::new(Scene::new())).operator("ada", TOKEN);
    let router = built.build().unwrap().router();
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(20_000));
    for (path, kind) in [
        ("/api/v1/lock/pause", "application/json"),
        ("/lock?name=a", "application/x-www-form-urlencoded"),
    ] {
        let headers = [("content-type", kind)];
        let answer = ask(&router, Method::POST, path, &headers, &long).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn other_hosts_are_refused() {
    let built = dashboard(Arc::new(Scene::new())).allow_host("localhost");
    let router = built.allow_host("[::1]").build().unwrap().router();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:8043", 200),
        ("[::1]:8043", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
    ] {
        let answer = ask(&router, Method::GET, "/healthz", &[("host", host)], "").await;
        assert_eq!(answer.status.as_u16(), status, "{host}");
    }
    let nameless = get(&router, "/locks").await;
    assert_eq!(nameless.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(nameless.header("x-content-type-options"), "nosniff");
}

#[test]
fn options_out_of_range_are_refused() {
    let begin = || Dashboard::builder(Arc::new(Scene::new()));
    for (builder, part) in [
        (begin().title(" "), "title"),
        (begin().title("x".repeat(101)), "title"),
        (begin().refresh("1ms"), "1ms"),
        (begin().operator("ada", "short"), "ada"),
        (begin().operator("", TOKEN), "name"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = begin().refresh("soon").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidDuration);
    let shown = format!("{:?}", begin().operator("ada", TOKEN).build().unwrap());
    assert!(!shown.contains(TOKEN), "{shown}");
}

/// Asks for the stream, and returns once the first event or an answer without a stream has come.
fn open_stream(server: &Server) -> (String, BufReader<TcpStream>) {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut status = String::new();
    reader.read_line(&mut status).unwrap();
    (status, reader)
}

#[test]
fn streams_are_bounded_and_end_with_their_clients() {
    let scene = Arc::new(Scene::new().free("mail"));
    let built = dashboard(Arc::clone(&scene)).build().unwrap();
    let server = Server::start(built.router());
    let mut open: Vec<_> = (0..64).map(|_| open_stream(&server)).collect();
    let (status, mut first) = open.pop().unwrap();
    assert!(status.contains("200"), "{status}");
    let mut lines = (&mut first).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "event: snapshot"));
    let data = lines.next().unwrap();
    assert!(data.contains("\"locks\":1"), "{data}");

    let (status, _) = open_stream(&server);
    assert!(status.contains("503"), "{status}");
    drop(open);
    let gone = async || open_stream(&server).0.contains("200");
    server.block_on(until("a stream is free again", gone));

    // A server that stops does not wait for the streams.
    built.end_streams();
    assert_eq!(lines.last().as_deref(), Some(""), "the stream has ended");
}
