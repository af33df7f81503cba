//! Positions in Redis: the script decides as the rule does, a position outlives every request for it, and operators find chains again.

mod life;
mod rule;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    Lock, LockConfiguration, LockError, LockProviderExt as _, Ownership, Position, Refusal,
};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::Redis;

pub(crate) const KEY: &str = "job-lock:default:a";
pub(crate) const FENCE: &str = "shedlock-fence:{job-lock:default:a}";
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A server with nothing in it, and a node.
pub(crate) struct Place {
    pub(crate) server: Redis,
    pub(crate) node: RedisLockProvider,
}

impl Place {
    pub(crate) async fn new() -> Result<Self, Unavailable> {
        let server = Redis::start().await?;
        let node = RedisLockProvider::builder_from_url(&server.url()).node_name("web-2");
        let node = node.build().expect("a valid URL");
        Ok(Self { server, node })
    }

    pub(crate) async fn ask(&self, command: &[&str]) -> String {
        self.server.execute(command).await
    }

    /// The server's time of day.
    pub(crate) async fn now(&self) -> SystemTime {
        let time = self.ask(&["TIME"]).await;
        let (seconds, micros) = time.split_once('\n').expect("two numbers");
        let number = |text: &str| text.parse::<u64>().expect("a number");
        UNIX_EPOCH + Duration::from_secs(number(seconds)) + Duration::from_micros(number(micros))
    }

    pub(crate) async fn try_lock(&self, config: LockConfiguration) -> Result<Lock, Refusal> {
        let answer = self.node.lock(config).await;
        answer.expect("the server answers")
    }

    /// A run that ends well.
    pub(crate) async fn run(&self, config: LockConfiguration) {
        let lock = self.try_lock(config).await.expect("it may run");
        let completed = lock.complete().await.expect("the server answers");
        assert_eq!(completed, Ownership::Ours);
    }

    /// The position under the fence.
    pub(crate) async fn position(&self) -> Position {
        let fields = self.ask(&["HMGET", FENCE, "number", "done", "tries"]).await;
        let fields: Vec<&str> = fields.lines().collect();
        let [number, done, tries] = fields[..] else {
            panic!("three fields: {fields:?}");
        };
        Position {
            number: number.parse().expect("a number"),
            is_done: done == "1",
            tries: tries.parse().expect("a number"),
        }
    }

    /// Puts a position in place of what there is.
    pub(crate) async fn put(&self, stored: Option<Position>) {
        self.ask(&["DEL", FENCE]).await;
        if let Some(Position {
            number,
            is_done,
            tries,
        }) = stored
        {
            let (number, tries) = (number.to_string(), tries.to_string());
            let done = if is_done { "1" } else { "0" };
            let position = ["number", &number, "done", done, "tries", &tries];
            let set = ["HSET", FENCE, "token", "7", "last", "web-1#of-the-last-run"];
            self.ask(&[&set[..], &position].concat()).await;
        }
    }

    /// How long the fence lives; `None` if it has no end.
    pub(crate) async fn life(&self) -> Option<Duration> {
        let ttl = self.ask(&["PTTL", FENCE]).await;
        let ttl: i64 = ttl.parse().expect("a number");
        u64::try_from(ttl).ok().map(Duration::from_millis)
    }
}

pub(crate) fn legal(config: Result<LockConfiguration, LockError>) -> LockConfiguration {
    config.expect("a legal configuration")
}

pub(crate) fn plain() -> LockConfiguration {
    legal(LockConfiguration::new("a", "10m"))
}

pub(crate) fn step(number: u64) -> LockConfiguration {
    legal(plain().with_step(number))
}

pub(crate) fn instant(number: u64) -> LockConfiguration {
    legal(plain().with_instant(UNIX_EPOCH + Duration::from_millis(number)))
}

pub(crate) fn slot(period: Duration) -> LockConfiguration {
    legal(plain().with_once_per(period))
}

pub(crate) fn attempts(config: LockConfiguration, attempts: u32) -> LockConfiguration {
    legal(config.with_attempts(attempts))
}
