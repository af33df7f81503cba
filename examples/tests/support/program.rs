//! An example as a process of its own, and what it prints.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::process::Stdio;
use std::time::Duration;

use shedlock_examples::built_example;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// For everything that happens within seconds on a machine with much else to do.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Program {
    lines: Lines<BufReader<ChildStdout>>,
    // Dropping it kills it.
    process: Child,
}

impl Program {
    /// Starts an example; dropping it ends it.
    pub(crate) fn start(example: &str, environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(built_example(example))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { lines, process }
    }

    /// The next line that begins with `text`, without it.
    pub(crate) async fn next_line(&mut self, text: &str) -> String {
        let line = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.expect("the program goes on");
                if let Some(rest) = line.strip_prefix(text) {
                    return rest.to_owned();
                }
            }
        };
        timeout(LIMIT, line)
            .await
            .unwrap_or_else(|_| panic!("no line with `{text}`"))
    }

    /// Asks it to end, as a terminal does.
    pub(crate) async fn interrupt(&mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(told.unwrap().success());
    }

    /// Asks it to end, as a deployment does.
    pub(crate) async fn terminate(&mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(told.unwrap().success());
    }

    /// Waits until it has ended, and says whether well.
    pub(crate) async fn ended(&mut self) -> bool {
        let ended = timeout(LIMIT, self.process.wait()).await.expect("it ends");
        ended.unwrap().success()
    }
}

/// The whole answer to a request.
pub(crate) async fn request(address: &str, method: &str, path: &str) -> String {
    let answer = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    timeout(LIMIT, answer).await.expect("the service answers")
}
