//! A server that answers with an error of DynamoDB, for what no emulator does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Answers each request over a connection of its own, with an error or by another server.
pub(crate) struct ErrorServer {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl ErrorServer {
    /// Answers everything with this error.
    pub(crate) async fn start(status: u16, code: &'static str) -> Self {
        Self::serve(status, code, None).await
    }

    /// Throttles the first requests, and passes the others on.
    pub(crate) async fn before(server: SocketAddr, throttled: u32) -> Self {
        let after = Some((throttled, server));
        Self::serve(400, "ThrottlingException", after).await
    }

    async fn serve(status: u16, code: &'static str, after: Option<(u32, SocketAddr)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("is bound");
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                match after {
                    Some((throttled, server)) if number >= throttled => {
                        let mut server = TcpStream::connect(server).await.expect("it runs");
                        tokio::spawn(
                            async move { copy_bidirectional(&mut client, &mut server).await },
                        );
                    }
                    _ => refuse(client, status, code).await,
                }
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were made, and so how many requests were answered with an error.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for ErrorServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn refuse(mut client: TcpStream, status: u16, code: &str) {
    let mut request = Vec::new();
    // A body of JSON ends with a brace, and no header does.
    while !request.ends_with(b"}") {
        if client.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"as the test wants it"}}"#
    );
    let answer = format!(
        "HTTP/1.1 {status} Error\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A client that has given up does not read its answer.
    let _gone = client.write_all(answer.as_bytes()).await;
}
