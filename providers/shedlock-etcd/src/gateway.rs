//! Questions to etcd's JSON gateway, each asked until there is an answer or no more sense in asking.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use shedlock_runtime::LockError;
use tokio::sync::Semaphore;

use crate::error;
use crate::login::Login;
use crate::messages::{LoggedIn, Question, Status};

/// The answer to a question.
pub(crate) struct Reply<A> {
    pub(crate) answer: A,
    /// Whether the same question was sent before, and got no answer. etcd may still carry out that earlier question.
    pub(crate) is_in_doubt: bool,
}

/// How many questions are under way at a time; further ones wait for their turn. Each is a connection, and with more of them the members
/// answer each one later, until all look silent and are asked again.
const MOST_AT_ONCE: usize = 64;

/// The members of one cluster, and the HTTP clients that ask them.
pub(crate) struct Gateway {
    members: Vec<Url>,
    /// Keeps connections for the next question.
    kept: Client,
    /// Asks again after `kept` got no answer; opens a new connection for each question if the client is the provider's own.
    fresh: Client,
    login: Option<Login>,
    /// The member that answered last.
    preferred: AtomicUsize,
    turns: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    Tls,
    Plain,
}

/// Why one member gave no answer, or none of use.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nothing was sent, over a connection that was to be encrypted or was not.
    Unreachable(reqwest::Error, Encryption),
    /// The connection broke after the question was sent.
    Broken(reqwest::Error),
    /// There was no answer within this time.
    Silent(Duration),
    /// etcd refused the question.
    Refused(Status),
    /// The answer is not from the gateway of etcd.
    NotEtcd(StatusCode),
    /// The answer is not as expected.
    Unreadable(serde_json::Error),
}

impl Fault {
    /// Whether another member, or the same over a new connection, may answer.
    fn may_be_the_members(&self) -> bool {
        match self {
            Self::Unreachable(error, _) => !error.is_builder(),
            Self::Broken(_) | Self::Silent(_) => true,
            Self::Refused(status) => status.is_of_the_member(),
            Self::NotEtcd(code) => code.is_server_error(),
            Self::Unreadable(_) => false,
        }
    }

    /// Whether etcd may have carried out the question, or may still do so.
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unreachable(..) => false,
            Self::Broken(_) | Self::Silent(_) | Self::Unreadable(_) => true,
            Self::Refused(status) => status.is_of_the_member() && !status.says("no leader"),
            Self::NotEtcd(code) => code.is_server_error(),
        }
    }
}

impl Status {
    const CANCELLED: u32 = 1;
    const DEADLINE_EXCEEDED: u32 = 4;
    const NOT_FOUND: u32 = 5;
    const RESOURCE_EXHAUSTED: u32 = 8;
    const FAILED_PRECONDITION: u32 = 9;
    const UNAVAILABLE: u32 = 14;
    const UNAUTHENTICATED: u32 = 16;

    /// Whether the member could not decide: it has no leader, lost its leader, is stopping or has to wait too long.
    fn is_of_the_member(&self) -> bool {
        [Self::CANCELLED, Self::DEADLINE_EXCEEDED, Self::UNAVAILABLE].contains(&self.code)
    }

    /// Whether the token is too old: it ended, the member restarted, or users were changed since the token was given.
    fn wants_a_new_token(&self) -> bool {
        self.code == Self::UNAUTHENTICATED || self.says("revision of auth store is old")
    }

    pub(crate) fn is_lease_not_found(&self) -> bool {
        self.code == Self::NOT_FOUND && self.says("lease not found")
    }

    pub(crate) fn is_lease_there_already(&self) -> bool {
        self.code == Self::FAILED_PRECONDITION && self.says("lease already exists")
    }

    pub(crate) fn is_out_of_space(&self) -> bool {
        self.code == Self::RESOURCE_EXHAUSTED && self.says("space exceeded")
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

/// The last fault of a question, and whether an earlier attempt may have been carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) is_in_doubt: bool,
}

impl Failure {
    /// The refusal of etcd, if etcd refused the question.
    pub(crate) fn status(&self) -> Option<&Status> {
        match &self.fault {
            Fault::Refused(status) => Some(status),
            _ => None,
        }
    }
}

impl From<Failure> for LockError {
    fn from(failure: Failure) -> Self {
        error::failed(failure)
    }
}

impl Gateway {
    /// The gateway of the cluster with these members, of which there is at least one.
    pub(crate) fn new(
        members: Vec<Url>,
        kept: Client,
        fresh: Client,
        login: Option<Login>,
    ) -> Self {
        Self {
            members,
            kept,
            fresh,
            login,
            preferred: AtomicUsize::new(0),
            turns: Semaphore::new(MOST_AT_ONCE),
        }
    }

    /// Asks the members in turn, and at least twice. Each question can be asked twice without harm. All members but the last get only the time
    /// `part` to answer, and the last one gets the time that the caller allows.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        question: &Question,
        part: Duration,
    ) -> Result<Reply<A>, Failure> {
        // The semaphore is never closed, so this never fails.
        let _turn = self.turns.acquire().await;
        let first = self.preferred.load(Ordering::Relaxed);
        let last = self.members.len().max(2) - 1;
        let (mut is_in_doubt, is_sent) = (false, AtomicBool::new(false));
        let mut attempt = 0;
        loop {
            let number = (first + attempt) % self.members.len();
            let client = if attempt == 0 {
                &self.kept
            } else {
                &self.fresh
            };
            let asked = self.ask_member(client, &self.members[number], question, &is_sent);
            let answer = if attempt < last {
                let limited = tokio::time::timeout(part, asked).await;
                limited.unwrap_or(Err(Fault::Silent(part)))
            } else {
                asked.await
            };
            match answer {
                Ok(answer) => {
                    self.preferred.store(number, Ordering::Relaxed);
                    return Ok(Reply {
                        answer,
                        is_in_doubt,
                    });
                }
                Err(fault) if attempt < last && fault.may_be_the_members() => {
                    is_in_doubt |= is_sent.load(Ordering::Relaxed)
                        && question.is_write
                        && fault.is_ambiguous();
                }
                Err(fault) => return Err(Failure { fault, is_in_doubt }),
            }
            attempt += 1;
        }
    }

    async fn ask_member<A: DeserializeOwned>(
        &self,
        client: &Client,
        member: &Url,
        question: &Question,
        is_sent: &AtomicBool,
    ) -> Result<A, Fault> {
        let Some(login) = &self.login else {
            is_sent.store(true, Ordering::Relaxed);
            return post(client, member, question, None).await;
        };
        let token = match login.token() {
            Some(token) => Some(token),
            None => log_in(client, member, login).await?,
        };
        is_sent.store(true, Ordering::Relaxed);
        match post(client, member, question, token.as_deref()).await {
            Err(Fault::Refused(status)) if status.wants_a_new_token() => {
                let token = log_in(client, member, login).await?;
                post(client, member, question, token.as_deref()).await
            }
            answer => answer,
        }
    }
}

/// Gets a new token; `None` from a cluster whose authentication is switched off.
async fn log_in(client: &Client, member: &Url, login: &Login) -> Result<Option<Arc<str>>, Fault> {
    let question = Question::log_in(&login.user, &login.password);
    match post::<LoggedIn>(client, member, &question, None).await {
        Ok(answer) => {
            let token: Arc<str> = answer.token.into();
            login.keep(Arc::clone(&token));
            Ok(Some(token))
        }
        Err(Fault::Refused(status)) if status.says("authentication is not enabled") => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Asks one member once.
async fn post<A: DeserializeOwned>(
    client: &Client,
    member: &Url,
    question: &Question,
    token: Option<&str>,
) -> Result<A, Fault> {
    let mut url = member.clone();
    url.set_path(&format!("{}{}", member.path(), question.path));
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, token);
    }
    let sent = request.body(question.body.to_string()).send().await;
    let response: Response = sent.map_err(|error| {
        let error = error.without_url();
        if error.is_connect() || error.is_builder() {
            let is_tls = member.scheme() == "https";
            let encryption = if is_tls {
                Encryption::Tls
            } else {
                Encryption::Plain
            };
            Fault::Unreachable(error, encryption)
        } else {
            Fault::Broken(error)
        }
    })?;
    let code = response.status();
    let body = response.bytes().await;
    let body = body.map_err(|error| Fault::Broken(error.without_url()))?;
    if code.is_success() {
        return serde_json::from_slice(&body).map_err(Fault::Unreadable);
    }
    match serde_json::from_slice(&body) {
        Ok(status) => Err(Fault::Refused(status)),
        Err(_not_from_etcd) => Err(Fault::NotEtcd(code)),
    }
}

// Written by hand: the interesting part is where the cluster is.
impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.iter().map(Url::as_str);
        f.debug_list().entries(members).finish()
    }
}
