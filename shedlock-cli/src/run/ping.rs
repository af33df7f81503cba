//! Tells a service that watches over jobs, such as healthchecks.io, when a run begins and how it ended.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::{Client, Url};
use shedlock_runtime::printable;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::args::Run as Options;
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};
use crate::secret::Secret;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the program stays for the last ping. The lock is not held meanwhile.
const LAST: Duration = Duration::from_secs(15);
/// A request that failed is tried once more, after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The pings of one run.
#[derive(Debug)]
pub(super) struct Pings {
    service: Option<Service>,
    run: RefCell<Option<Run>>,
}

/// A run that has begun.
#[derive(Debug)]
struct Run {
    ended: oneshot::Sender<Exit>,
    pinging: JoinHandle<()>,
}

impl Pings {
    /// Sends nothing yet, and nothing at all without `--ping`.
    pub(super) fn new(options: &Options, lock: &str) -> Result<Self, Failure> {
        let service = match &options.ping {
            Some(url) => Some(Service {
                url: parse(url)?,
                lock: lock.to_owned(),
                is_quiet: options.quiet,
            }),
            None => None,
        };
        Ok(Self {
            service,
            run: RefCell::default(),
        })
    }

    /// The command begins. It does not wait for the service.
    pub(super) fn begin(&self) {
        let Some(service) = self.service.clone() else {
            return;
        };
        let (ended, has_ended) = oneshot::channel::<Exit>();
        let pinging = tokio::spawn(async move {
            let run = Uuid::new_v4();
            let client = match client() {
                Ok(client) => client,
                Err(error) => return service.failed(&error),
            };
            service.ping(&client, "start", run).await;
            let Ok(exit) = has_ended.await else {
                return;
            };
            let code = exit.0.to_string();
            let path = if exit == Exit::SUCCESS { "" } else { &code };
            service.ping(&client, path, run).await;
        });
        self.run.replace(Some(Run { ended, pinging }));
    }

    /// The run has ended, if it has begun.
    pub(super) async fn end(&self, exit: Exit) {
        let Some(run) = self.run.take() else {
            return;
        };
        // A task that has given up needs no exit code.
        let _told = run.ended.send(exit);
        // What the service does not hear of, it misses.
        let _pinged = timeout(LAST, run.pinging).await;
    }
}

/// The service, and for which lock it is asked.
#[derive(Clone)]
struct Service {
    url: Url,
    lock: String,
    is_quiet: bool,
}

// Derived, it would print the URL, which whoever knows it may use.
impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Asks for the URL with `path` behind it. A service that does not answer is no failure of the job.
    async fn ping(&self, client: &Client, path: &str, run: Uuid) {
        let url = with(&self.url, path, run);
        let mut answer = ask(client, url.clone()).await;
        if answer.is_err() {
            sleep(PAUSE).await;
            answer = ask(client, url).await;
        }
        if let Err(error) = answer {
            self.failed(&error);
        }
    }

    fn failed(&self, error: &reqwest::Error) {
        if self.is_quiet {
            return;
        }
        let (lock, problem) = (printable(&self.lock), problem(error));
        let text = format!("`{lock}`: the ping failed: {problem}");
        output::say_of(Level::Warning, &self.lock, &text);
    }
}

fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("shedlock/", env!("CARGO_PKG_VERSION")))
        .timeout(LIMIT)
        .build()
}

async fn ask(client: &Client, url: Url) -> reqwest::Result<()> {
    let answer = client.get(url).send().await?;
    answer.error_for_status().map(drop)
}

fn parse(url: &Secret) -> Result<Url, Failure> {
    let parsed = Url::parse(url.reveal()).ok();
    let web = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The text is not repeated: it may be a secret.
    web.ok_or_else(|| Failure::usage("the URL for pings is no `http://` or `https://` URL"))
}

fn with(url: &Url, path: &str, run: Uuid) -> Url {
    let mut url = url.clone();
    if !path.is_empty()
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty().push(path);
    }
    // Tells the runs of two nodes apart.
    url.query_pairs_mut().append_pair("rid", &run.to_string());
    url
}

/// The error without the URL.
fn problem(error: &reqwest::Error) -> String {
    if let Some(status) = error.status() {
        return format!("the service answered {status}");
    }
    if error.is_timeout() {
        return format!("no answer within {}", humantime::format_duration(LIMIT));
    }
    if error.is_connect() {
        return "the service could not be reached".to_owned();
    }
    "the request could not be sent".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_and_the_run_are_put_behind_the_url() {
        let url = |text: &str| Url::parse(text).unwrap();
        let run = Uuid::nil();
        let shown = |base, path| with(&url(base), path, run).to_string();
        let id = "00000000-0000-0000-0000-000000000000";
        assert_eq!(
            shown("https://hc/a", "start"),
            format!("https://hc/a/start?rid={id}")
        );
        assert_eq!(
            shown("https://hc/a/", "3"),
            format!("https://hc/a/3?rid={id}")
        );
        assert_eq!(
            shown("https://hc/a?k=v", ""),
            format!("https://hc/a?k=v&rid={id}")
        );
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        for text in ["hc.io/secret", "ftp://secret", "secret"] {
            let failure = parse(&Secret::from(text.to_owned())).unwrap_err();
            assert!(!failure.message().contains("secret"), "{text}");
        }
    }
}
