//! The few HTTP requests by which servers for tests are set up.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The time limit for connecting, and for each read.
const LIMIT: Duration = Duration::from_secs(10);

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The headers and the body.
    pub(super) text: String,
}

/// Sends a request without a body to a loopback port.
pub(super) fn request(port: u16, method: &str, target: &str) -> io::Result<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    // Version 1.0: the server sends the body as it is, and closes the connection after it.
    write!(
        stream,
        "{method} {target} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {text}")))?;
    Ok(Answer { status, text })
}

/// Sends a request that must succeed.
pub(super) fn must(port: u16, method: &str, target: &str) -> io::Result<()> {
    let answer = request(port, method, target)?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    // Without the query, which may hold a signature.
    let path = target.split('?').next().unwrap_or_default();
    Err(io::Error::other(format!(
        "{method} {path}: {}",
        answer.text
    )))
}
