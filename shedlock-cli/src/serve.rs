//! `serve`: the locks as a web page, until a signal comes.

use std::env::{self, VarError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use shedlock_dashboard::Dashboard;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::args::{Serve, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output::{Level, say};
use crate::secret::FileText;
use crate::store;

const TOKENS_VARIABLE: &str = "SHEDLOCK_OPERATOR_TOKENS";
/// How many connections are open at the same time.
const MOST_CONNECTIONS: usize = 256;
/// How long the head of a request may be.
const LONGEST_HEAD: usize = 16 * 1024;
/// How long a client may take to send it.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long requests that are under way may take after a signal.
const ENDING: Duration = Duration::from_secs(5);
/// With no descriptor left, accepting fails at once, again and again.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves the page until SIGTERM or SIGINT.
pub(crate) async fn serve(options: &Serve, store: &StoreOptions) -> Result<Exit, Failure> {
    let operators = operators(options)?;
    let store = store::open(store).await?;
    let mut builder = Dashboard::builder(store)
        .title(&options.title)
        .refresh(options.refresh);
    for (name, token) in &operators {
        builder = builder.operator(name, token);
    }
    for host in hosts(options) {
        builder = builder.allow_host(host);
    }
    let dashboard = builder.build()?;
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| cannot_listen(options.listen, &error))?;
    let address = listener.local_addr();
    let address = address.map_err(|error| cannot_listen(options.listen, &error))?;
    greet(address, operators.is_empty());

    let open = GracefulShutdown::new();
    let mut ended = SignalKinds::new()?;
    tokio::select! {
        () = accept(&listener, &dashboard, &open) => {}
        () = ended.any() => {}
    }
    drop(listener);
    dashboard.end_streams();
    if timeout(ENDING, open.shutdown()).await.is_err() {
        say(Level::Warning, "some requests had not ended in time");
    }
    Ok(Exit::SUCCESS)
}

/// Says where the page is, and who can see it.
fn greet(address: SocketAddr, is_read_only: bool) {
    let what = if is_read_only { ", read-only" } else { "" };
    say(
        Level::Info,
        &format!("the locks are at http://{address}/{what}"),
    );
    if address.ip().is_loopback() {
        return;
    }
    let told = if is_read_only {
        "other machines can reach this page, and it does not ask its readers who they are"
    } else {
        "other machines can reach this page, and tokens reach it unencrypted; put a proxy with TLS in front of it"
    };
    say(Level::Warning, told);
}

async fn accept(listener: &TcpListener, dashboard: &Dashboard, open: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let service = TowerToHyperService::new(dashboard.router());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(LONGEST_HEAD);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(AFTER_FAILURE).await;
            continue;
        };
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        let connection = open.watch(connection);
        tokio::spawn(async move {
            // A client that goes away in the middle is no concern of ours.
            drop(connection.await);
            drop(place);
        });
    }
}

/// The hosts for which the page answers. A page of another site could otherwise read this one through a name that leads here.
fn hosts(options: &Serve) -> Vec<String> {
    if !options.listen.ip().is_loopback() && options.hosts.is_empty() {
        return Vec::new();
    }
    let own = [
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
    ];
    let address = match options.listen {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    own.into_iter()
        .chain([address])
        .chain(options.hosts.iter().cloned())
        .collect()
}

/// Names and tokens, from the file or the variable.
fn operators(options: &Serve) -> Result<Vec<(String, String)>, Failure> {
    let (text, source) = match &options.operator_tokens {
        Some(file) => {
            let source = format!("the file `{}`", file.display());
            let read = FileText::read(file).map_err(|error| {
                misconfigured(format!(
                    "cannot read the tokens of operators from {source}: {error}"
                ))
            })?;
            if let Some(mode) = read.open_to {
                return Err(misconfigured(format!(
                    "others can read the tokens of operators in {source} (mode {mode:04o}); run `chmod 600` on the file"
                )));
            }
            (read.text, source)
        }
        None => match env::var(TOKENS_VARIABLE) {
            Ok(text) => (text, format!("the variable `{TOKENS_VARIABLE}`")),
            Err(VarError::NotPresent) => return Ok(Vec::new()),
            // Without the operators, the page would be read-only, and nobody would know why.
            Err(VarError::NotUnicode(_)) => {
                return Err(misconfigured(format!(
                    "`{TOKENS_VARIABLE}` is not valid UTF-8"
                )));
            }
        },
    };
    let operators = parse(&text).ok_or_else(|| {
        // The line itself may be a token.
        misconfigured(format!("{source} has a line that is not `name:token`"))
    })?;
    if operators.is_empty() && options.operator_tokens.is_some() {
        return Err(misconfigured(format!("{source} has no operators")));
    }
    Ok(operators)
}

fn parse(text: &str) -> Option<Vec<(String, String)>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, token) = line.split_once(':')?;
            Some((name.trim().to_owned(), token.trim().to_owned()))
        })
        .collect()
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    misconfigured(format!(
        "cannot listen on {address}: {error}; choose another address with `--listen`"
    ))
}

fn misconfigured(message: String) -> Failure {
    Failure::new(Exit::CONFIGURATION, message)
}

/// The signals that end the program.
#[derive(Debug)]
struct SignalKinds {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl SignalKinds {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::internal(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn operators_are_lines_of_name_and_token() {
        let operators = parse("# ours\n ada : a:b=\n\nbob:c\n").unwrap();
        assert_eq!(
            operators,
            [("ada", "a:b="), ("bob", "c")]
                .map(|(name, token)| (name.to_owned(), token.to_owned()))
        );
        assert_eq!(parse("just-a-token"), None);
        assert_eq!(parse("").unwrap(), []);
    }
}
