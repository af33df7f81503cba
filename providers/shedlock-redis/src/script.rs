//! The Lua scripts. The server runs each script atomically.

use std::sync::LazyLock;

use redis::Cmd;

/// A script, and the hash by which a server that has run the script before identifies it.
pub(crate) struct Script {
    code: &'static str,
    hash: String,
}

pub(crate) static ACQUIRE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/acquire.lua")));
pub(crate) static CHANGE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/change.lua")));
pub(crate) static READ: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/read.lua")));
pub(crate) static OVERRULE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/overrule.lua")));
pub(crate) static FORGET: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/forget.lua")));

impl Script {
    fn new(code: &'static str) -> Self {
        let hash = redis::Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }
}

/// One run of a script on the keys of one lock.
pub(crate) struct Run {
    script: &'static Script,
    pub(crate) lock_key: String,
    fence_key: String,
    arguments: Vec<String>,
}

impl Run {
    pub(crate) fn new(script: &'static Script, lock_key: String, arguments: Vec<String>) -> Self {
        let fence_key = crate::keys::fence(&lock_key);
        Self {
            script,
            lock_key,
            fence_key,
            arguments,
        }
    }

    /// The command that runs the script by its hash: shorter, but unknown to a server that was restarted.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// The command that runs the script with its full text.
    pub(crate) fn in_full(&self) -> Cmd {
        self.command("EVAL", self.script.code)
    }

    fn command(&self, command: &str, script: &str) -> Cmd {
        let mut cmd = redis::cmd(command);
        cmd.arg(script)
            .arg(2)
            .arg(&self.lock_key)
            .arg(&self.fence_key)
            .arg(&self.arguments);
        cmd
    }
}
