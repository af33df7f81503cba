//! Where the nodes of a lock are.

use shedlock_runtime::{ErrorKind, LockError, NameEncoding};

/// The base path of ShedLock for the JVM.
pub(crate) const DEFAULT_BASE: &str = "/shedlock";
/// The node below the base path under which this crate keeps what JVM nodes do not know. No lock has its record there.
const HIDDEN: &str = ".rust";
/// The node below [`HIDDEN`] for the records of locks whose names are no paths.
const ESCAPED: &str = "names";

const ESCAPES: NameEncoding = NameEncoding::new('%', is_plain);

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_".contains(c)
}

/// The paths below one base path.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    base: String,
}

impl Default for Paths {
    fn default() -> Self {
        let base = DEFAULT_BASE.to_owned();
        Self { base }
    }
}

impl Paths {
    pub(crate) fn below(base: &str) -> Result<Self, LockError> {
        if base.strip_prefix('/').is_some_and(is_path) {
            let base = base.to_owned();
            return Ok(Self { base });
        }
        let illegal = format!("`{base}` is no path of a node that can have locks below it");
        Err(LockError::new(ErrorKind::Configuration, illegal)
            .with_remedy("use a path as `/shedlock`, without a slash at its end"))
    }

    /// The node with the record of the lock, which is where JVM nodes have it.
    pub(crate) fn lock(&self, name: &str) -> String {
        if is_shared(name) {
            format!("{}/{name}", self.base)
        } else {
            format!("{}/{}", self.escaped(), ESCAPES.encode(name))
        }
    }

    /// The node with what JVM nodes do not keep: the owner, the fencing token and the position.
    pub(crate) fn owner(&self, name: &str) -> String {
        format!("{}/{}", self.shard(name), ESCAPES.encode(name))
    }

    /// The parent of the owner's node. Its version counts the deletions of records in this shard.
    pub(crate) fn shard(&self, name: &str) -> String {
        format!("{}/{:02x}", self.hidden(), hash(name))
    }

    /// The parent of the records of locks whose names are no paths.
    pub(crate) fn escaped(&self) -> String {
        format!("{}/{ESCAPED}", self.hidden())
    }

    /// The node for all that JVM nodes do not know.
    pub(crate) fn hidden(&self) -> String {
        format!("{}/{HIDDEN}", self.base)
    }

    /// The parents that the nodes of the lock need and that are no locks.
    pub(crate) fn folders(&self, name: &str) -> Vec<String> {
        let shard = self.shard(name);
        if is_shared(name) {
            vec![shard]
        } else {
            vec![shard, self.escaped()]
        }
    }

    /// The node whose children are the locks whose names are `folder` and one more part. `folder` is empty, or ends with a slash.
    pub(crate) fn folder(&self, folder: &str) -> String {
        let path = format!("{}/{folder}", self.base);
        path[..path.len() - 1].to_owned()
    }

    /// The ancestors of a lock's node below the base path, whose own names may be those of locks too. The topmost is the first.
    pub(crate) fn ancestors(&self, name: &str) -> Vec<String> {
        if !is_shared(name) {
            return Vec::new();
        }
        let slashes = name.match_indices('/');
        slashes.map(|(at, _)| self.lock(&name[..at])).collect()
    }
}

/// The name of the lock that is the child `child` of the folder `folder`; `None` if there is no such lock.
pub(crate) fn name_in(folder: &str, child: &str) -> Option<String> {
    let name = format!("{folder}{child}");
    is_shared(&name).then_some(name)
}

/// The name of the lock whose node has this name below [`Paths::escaped`]; `None` if there is no such lock.
pub(crate) fn unescaped(child: &str) -> Option<String> {
    ESCAPES.decode(child).filter(|name| !is_shared(name))
}

/// Whether a JVM node can have a lock with this name, whose node then has the same path for both.
fn is_shared(name: &str) -> bool {
    is_path(name) && name.split('/').next() != Some(HIDDEN)
}

/// Whether ZooKeeper takes this path below another node.
fn is_path(path: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(is_part) && path.chars().all(is_legal)
}

/// ZooKeeper judges the UTF-16 code units of a path, and refuses surrogates.
fn is_legal(c: char) -> bool {
    let is_refused = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..);
    !is_refused && !c.is_control()
}

/// The 64 bits of FNV-1a, folded to 8. Every node has to find the same shard, so this may never change.
fn hash(name: &str) -> u8 {
    let bits = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    bits.to_le_bytes()
        .iter()
        .fold(0, |folded, byte| folded ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths::default()
    }

    #[test]
    fn names_that_jvm_nodes_can_have_are_their_own_paths() {
        for name in [
            "mail",
            "a/b",
            "naïve 100%",
            "...",
            "a/.rust",
            "job:1",
            "中文",
        ] {
            assert_eq!(paths().lock(name), format!("/shedlock/{name}"));
        }
    }

    #[test]
    fn other_names_read_back_and_no_two_share_a_path() {
        let names = [
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/./b",
            "🦀",
            "\u{e000}",
            "\u{fffd}",
            ".rust",
            ".rust/names/a",
            "/",
        ];
        let mut seen = Vec::new();
        for name in names {
            let path = paths().lock(name);
            let child = path.strip_prefix("/shedlock/.rust/names/").unwrap();
            assert!(is_path(child), "{child}");
            assert_eq!(unescaped(child).as_deref(), Some(name));
            seen.push(path);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), names.len());
        for child in ["mail", "a%2Fb", "%", "%2f"] {
            assert_eq!(unescaped(child), None, "{child}");
        }
        assert_eq!(name_in("", ".rust"), None);
    }

    #[test]
    fn the_ancestors_of_a_lock_are_below_the_base_path() {
        let below = paths();
        assert_eq!(below.ancestors("a/b/c"), ["/shedlock/a", "/shedlock/a/b"]);
        assert_eq!(below.ancestors("mail"), [""; 0]);
        assert_eq!(below.ancestors("/a/b"), [""; 0]);
        assert_eq!(below.folder(""), "/shedlock");
        assert_eq!(below.folder("a/b/"), "/shedlock/a/b");
    }

    #[test]
    fn a_lock_stays_in_its_shard() {
        assert_eq!(paths().shard("nightly_report"), "/shedlock/.rust/58");
        assert_eq!(paths().owner("a/b"), "/shedlock/.rust/de/a%2Fb");
    }

    #[test]
    fn a_base_path_that_cannot_be_is_refused() {
        for base in ["", "/", "shedlock", "/a/", "/a//b", "/../a"] {
            let error = Paths::below(base).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{base}");
        }
        assert!(Paths::below("/app/locks").is_ok());
    }
}
