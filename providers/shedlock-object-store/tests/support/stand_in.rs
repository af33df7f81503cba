//! A stand-in for Google Cloud Storage: of its XML API, what the client sends. No server that can be had speaks it with conditions.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use percent_encoding::percent_decode_str;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};

/// A running stand-in. It ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Gcs {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The objects of each bucket.
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    generation: u64,
    /// What the next writes are answered with, in place of being carried out.
    refusals: VecDeque<(u16, &'static str)>,
    puts: usize,
}

#[derive(Clone)]
struct Object {
    generation: u64,
    metadata: Vec<(String, String)>,
    body: Vec<u8>,
}

struct Request {
    method: String,
    bucket: String,
    key: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let own = self.headers.iter();
        own.filter(|(name, _)| name.starts_with("x-goog-meta-"))
            .cloned()
            .collect()
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Gcs {
    /// Starts a stand-in that has the bucket.
    pub(crate) async fn start(bucket: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let gcs = Self {
            address: listener.local_addr().expect("is bound"),
            state: Arc::default(),
        };
        gcs.create_bucket(bucket);
        let serving = gcs.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let gcs = serving.clone();
                tokio::spawn(async move {
                    // An error means that the client has gone.
                    let _gone = gcs.serve(stream).await;
                });
            }
        });
        gcs
    }

    pub(crate) fn create_bucket(&self, bucket: &str) {
        self.state().buckets.entry(bucket.to_owned()).or_default();
    }

    pub(crate) fn remove_bucket(&self, bucket: &str) {
        self.state().buckets.remove(bucket);
    }

    /// Answers the next writes with these statuses and texts, without carrying them out.
    pub(crate) fn refuse(&self, refusals: &[(u16, &'static str)]) {
        self.state().refusals.extend(refusals);
    }

    /// How many writes were asked for.
    pub(crate) fn puts(&self) -> usize {
        self.state().puts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut reader = BufReader::new(reader);
        while let Some(request) = read(&mut reader).await? {
            let is_head = request.method == "HEAD";
            let answer = self.state().answer(&request);
            let mut head = format!(
                "HTTP/1.1 {} -\r\ncontent-length: {}\r\n",
                answer.status,
                answer.body.len()
            );
            for (name, value) in &answer.headers {
                let _infallible = write!(head, "{name}: {value}\r\n");
            }
            head.push_str("\r\n");
            let mut bytes = head.into_bytes();
            if !is_head {
                bytes.extend(&answer.body);
            }
            writer.write_all(&bytes).await?;
        }
        Ok(())
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        if request.method == "PUT" {
            self.puts += 1;
            if let Some((status, text)) = self.refusals.pop_front() {
                return plain(status, text);
            }
        }
        let Some(objects) = self.buckets.get_mut(&request.bucket) else {
            return plain(404, "<Error><Code>NoSuchBucket</Code></Error>");
        };
        let found = objects.get(&request.key).cloned();
        match (request.method.as_str(), found) {
            ("GET", _) if request.key.is_empty() => list(objects, &request.query),
            ("GET" | "HEAD", Some(object)) => object.answer(),
            ("GET" | "HEAD" | "DELETE", None) => {
                plain(404, "<Error><Code>NoSuchKey</Code></Error>")
            }
            ("DELETE", Some(_)) => {
                objects.remove(&request.key);
                plain(204, "")
            }
            ("PUT", found) => {
                let stored = found.map_or(0, |object| object.generation);
                let expected = request.header("x-goog-if-generation-match");
                if expected.is_some_and(|it| it.parse() != Ok(stored)) {
                    return plain(412, "<Error><Code>PreconditionFailed</Code></Error>");
                }
                self.generation += 1;
                let object = Object {
                    generation: self.generation,
                    metadata: request.metadata(),
                    body: request.body.clone(),
                };
                let mut answer = object.answer();
                answer.body.clear();
                objects.insert(request.key.clone(), object);
                answer
            }
            _ => plain(405, ""),
        }
    }
}

impl Object {
    fn answer(&self) -> Answer {
        let mut headers = self.metadata.clone();
        headers.push(("etag".to_owned(), format!("\"{}\"", self.generation)));
        headers.push(("x-goog-generation".to_owned(), self.generation.to_string()));
        headers.push((
            "last-modified".to_owned(),
            "Sat, 28 Nov 2026 10:00:00 GMT".to_owned(),
        ));
        Answer {
            status: 200,
            headers,
            body: self.body.clone(),
        }
    }
}

fn plain(status: u16, text: &str) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: text.as_bytes().to_vec(),
    }
}

fn list(objects: &BTreeMap<String, Object>, query: &str) -> Answer {
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = decoded(prefix.unwrap_or_default());
    let mut body = String::from("<ListBucketResult>");
    for (key, object) in objects.range(prefix.clone()..) {
        if !key.starts_with(&prefix) {
            break;
        }
        let key = key.replace('&', "&amp;").replace('<', "&lt;");
        let _infallible = write!(
            body,
            "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-11-28T10:00:00.000Z</LastModified></Contents>",
            object.body.len()
        );
    }
    body.push_str("</ListBucketResult>");
    plain(200, &body)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text)
        .decode_utf8()
        .expect("UTF-8")
        .into_owned()
}

async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let mut request = Request {
        method,
        bucket: decoded(bucket),
        key: decoded(key),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request
        .header("content-length")
        .and_then(|it| it.parse().ok());
    request.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut request.body).await?;
    Ok(Some(request))
}
