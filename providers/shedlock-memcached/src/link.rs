//! One connection to the server, for one exchange at a time: the commands that locks need, and their answers.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use shedlock_runtime::LockError;
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy, sink,
};
use tokio::net::TcpStream;

use crate::error;

/// The longest line of an answer: that of a key whose 250 bytes are all percent-encoded has about a thousand bytes.
const LONGEST_LINE: u64 = 4096;
/// How much of a value is read. The value of a lock is shorter.
const LONGEST_VALUE: u64 = 4096;
/// What ends a line of a request.
const END_OF_LINE: &[u8] = b"\r\n";

/// A connection.
pub(crate) struct Link {
    stream: BufReader<TcpStream>,
    /// Which of the provider's connections this is.
    pub(crate) number: u64,
    /// When the server was started, in microseconds since 1970.
    pub(crate) started: u64,
}

/// Why an exchange failed. The connection is of no further use: part of an answer may still come.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection broke, or what came over it is no answer.
    Broken(io::Error),
    /// The server has answered with an error, or its answer is one for a lock.
    Refused(LockError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        Self::Refused(error)
    }
}

/// What the server keeps under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) value: Vec<u8>,
    /// The number of the item's last write. No two writes since the server's start have the same.
    pub(crate) cas: u64,
    /// What is left of the time to live; `None` if the item has no end.
    pub(crate) left: Option<Duration>,
}

/// What became of a write that was asked for on a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// The key is taken, or its last write is another one.
    Conflict,
    Absent,
}

impl Link {
    pub(crate) fn new(stream: TcpStream, number: u64) -> Self {
        Self {
            stream: BufReader::new(stream),
            number,
            started: 0,
        }
    }

    /// Whether nothing has come over the connection since the last answer, not even its end.
    pub(crate) fn is_quiet(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0; 1]);
        self.stream.buffer().is_empty()
            && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Logs in as this user. A server that asks for a login takes no other command before.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        let login = format!("{user} {password}");
        let head = format!("set login 0 0 {}", login.len());
        self.send(&[head.as_bytes(), END_OF_LINE, login.as_bytes(), END_OF_LINE])
            .await?;
        self.written().await.map(drop)
    }

    /// What the server tells of itself and of its settings.
    pub(crate) async fn stats(&mut self) -> Result<HashMap<String, String>, Failure> {
        self.send(&[b"stats\r\nstats settings\r\n"]).await?;
        let mut stats = HashMap::new();
        for _ in 0..2 {
            loop {
                let line = self.line().await?;
                if line == "END" {
                    break;
                }
                let pair = line.strip_prefix("STAT ").and_then(|it| it.split_once(' '));
                let (name, value) = pair.ok_or_else(|| no_answer(&line))?;
                stats.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(stats)
    }

    /// What is under the key.
    pub(crate) async fn get(&mut self, key: &[u8]) -> Result<Option<Item>, Failure> {
        self.send(&[b"mg ", key, b" v c t\r\n"]).await?;
        self.item().await
    }

    /// What is under each of the keys.
    pub(crate) async fn get_all(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Item>>, Failure> {
        let mut request = Vec::new();
        for key in keys {
            request.extend_from_slice(&[b"mg ", &**key, b" v c t\r\n"].concat());
        }
        self.send(&[&request]).await?;
        let mut items = Vec::with_capacity(keys.len());
        for _ in keys {
            items.push(self.item().await?);
        }
        Ok(items)
    }

    /// Stores the value for so many seconds if nothing is under the key, and returns what is there now.
    ///
    /// This is `add` and not `ms` with mode `E`: a server without memory deletes what is under the key of an `ms`, whatever its condition.
    pub(crate) async fn add(
        &mut self,
        key: &[u8],
        value: &[u8],
        seconds: u64,
    ) -> Result<(Written, Option<Item>), Failure> {
        let head = format!(" 0 {seconds} {}", value.len());
        self.store(b"add ", key, &head, value).await
    }

    /// Replaces the value if the last write of the key is number `cas`, and returns what is there now.
    ///
    /// This is `cas` and not `ms`, for the same reason as in [`add`](Self::add).
    pub(crate) async fn replace(
        &mut self,
        key: &[u8],
        value: &[u8],
        seconds: u64,
        cas: u64,
    ) -> Result<(Written, Option<Item>), Failure> {
        let head = format!(" 0 {seconds} {} {cas}", value.len());
        self.store(b"cas ", key, &head, value).await
    }

    /// Deletes the key if its last write is number `cas`.
    pub(crate) async fn delete(&mut self, key: &[u8], cas: u64) -> Result<Written, Failure> {
        self.send(&[b"md ", key, format!(" C{cas}\r\n").as_bytes()])
            .await?;
        self.written().await
    }

    /// The keys of the server for which `wants` answers something. `None` if the server lists its keys for another client at present.
    pub(crate) async fn keys<T>(
        &mut self,
        wants: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Failure> {
        // By the hash table: a key that the server moves meanwhile would be missing in a list by age.
        self.send(&[b"lru_crawler metadump hash\r\n"]).await?;
        let mut wanted = Vec::new();
        loop {
            let line = self.line().await?;
            if line == "END" {
                return Ok(Some(wanted));
            }
            if line.starts_with("BUSY") {
                return Ok(None);
            }
            let key = line
                .strip_prefix("key=")
                .and_then(|it| it.split(' ').next());
            let key: Vec<u8> = percent_decode_str(key.ok_or_else(|| no_answer(&line))?).collect();
            wanted.extend(wants(&key));
        }
    }

    async fn store(
        &mut self,
        command: &[u8],
        key: &[u8],
        head: &str,
        value: &[u8],
    ) -> Result<(Written, Option<Item>), Failure> {
        let head = [command, key, head.as_bytes(), END_OF_LINE].concat();
        // In the same round trip: who is in the way, or the number of this write.
        self.send(&[&head, value, END_OF_LINE, b"mg ", key, b" v c t\r\n"])
            .await?;
        let written = self.written().await?;
        match self.item().await {
            Err(Failure::Refused(error)) if written == Written::Done => {
                Err(error::stored_and_refused(error).into())
            }
            item => Ok((written, item?)),
        }
    }

    async fn send(&mut self, parts: &[&[u8]]) -> Result<(), Failure> {
        self.stream.write_all(&parts.concat()).await?;
        Ok(())
    }

    async fn written(&mut self) -> Result<Written, Failure> {
        let line = self.line().await?;
        match &*line {
            "STORED" | "HD" => Ok(Written::Done),
            "NOT_STORED" | "EXISTS" | "EX" => Ok(Written::Conflict),
            "NOT_FOUND" | "NF" => Ok(Written::Absent),
            _ => Err(no_answer(&line)),
        }
    }

    /// Reads the answer to `mg`.
    async fn item(&mut self) -> Result<Option<Item>, Failure> {
        let line = self.line().await?;
        if line == "EN" {
            return Ok(None);
        }
        let (length, cas, left) = head_of(&line).ok_or_else(|| no_answer(&line))?;
        let mut value = Vec::new();
        let read = length.min(LONGEST_VALUE);
        (&mut self.stream)
            .take(read)
            .read_to_end(&mut value)
            .await?;
        // What is longer belongs to another program.
        let rest = length - value.len() as u64;
        if copy(&mut (&mut self.stream).take(rest), &mut sink()).await? < rest {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let end = self.line().await?;
        if !end.is_empty() {
            return Err(no_answer(&end));
        }
        Ok(Some(Item { value, cas, left }))
    }

    /// The next line of the server's answer, which is no error.
    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut line).await?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        };
        // The lines with keys end with a line feed alone.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line).into_owned();
        match error::said(&line) {
            Some(error) => Err(error.into()),
            None => Ok(line),
        }
    }
}

/// The length, the number of the last write and the rest of the time to live, from the first line of an item.
fn head_of(line: &str) -> Option<(u64, u64, Option<Duration>)> {
    let mut parts = line.strip_prefix("VA ")?.split(' ');
    let length = parts.next()?.parse().ok()?;
    let (mut cas, mut left) = (None, None);
    for part in parts {
        match part.split_at_checked(1)? {
            ("c", number) => cas = number.parse().ok(),
            ("t", "-1") => left = Some(None),
            // An item that is in its last second is still there.
            ("t", number) => left = Some(Some(number.parse::<u64>().ok()?.max(1))),
            _ => {}
        }
    }
    Some((length, cas?, left?.map(Duration::from_secs)))
}

/// What the server sends is not in its protocol, so nothing that follows can be understood.
fn no_answer(line: &str) -> Failure {
    let problem = format!(
        "an answer begins with {:?}",
        line.chars().take(32).collect::<String>()
    );
    io::Error::new(io::ErrorKind::InvalidData, problem).into()
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;
    use tokio::net::TcpListener;

    use super::*;

    /// A server that has stored the value, and has no memory left for the answer to the read that follows.
    #[tokio::test]
    async fn a_read_that_is_refused_after_a_write_is_in_doubt() {
        for (written, kind) in [
            ("STORED", ErrorKind::Indeterminate),
            ("NOT_STORED", ErrorKind::Unavailable),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
            let mut link = Link::new(stream.unwrap(), 0);
            let (mut server, _) = listener.accept().await.unwrap();
            let answers =
                format!("{written}\r\nSERVER_ERROR out of memory writing get response\r\n");
            server.write_all(answers.as_bytes()).await.unwrap();
            let failure = link.add(b"a", b"value", 60).await.unwrap_err();
            assert!(
                matches!(&failure, Failure::Refused(error) if error.kind() == kind),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn the_head_of_an_item_is_read() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(head_of("VA 33 c7 t60"), Some((33, 7, minute)));
        assert_eq!(
            head_of("VA 0 t-1 c18446744073709551615 f0"),
            Some((0, u64::MAX, None))
        );
        assert_eq!(
            head_of("VA 1 c7 t0"),
            Some((1, 7, Some(Duration::from_secs(1))))
        );
        for line in [
            "EN",
            "VA",
            "VA x c1 t1",
            "VA 1 c1",
            "VA 1 t1",
            "VA 1 c-1 t1",
            "VA 1 c1 tx",
            "VA 1  c1",
        ] {
            assert_eq!(head_of(line), None, "{line}");
        }
    }
}
