//! Ports for servers: each for one server of one process, among all processes of a user with tests.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

/// Outside the range of ports for outgoing connections, so that a stopped server finds its port free when it restarts.
const PORTS: Range<u16> = 15_000..32_000;
/// How many ports a process takes at a time.
const BLOCK: u16 = 50;

static TAKEN: Mutex<Taken> = Mutex::new(Taken {
    locks: Vec::new(),
    left: 0..0,
});

/// The ports that this process has taken.
struct Taken {
    /// One for each block. A process that ends unlocks them, however it ends.
    locks: Vec<File>,
    /// What is left of the last block.
    left: Range<u16>,
}

/// Returns a port that no server uses, and that no other call returns in any process of this user that runs now. Between this call and the
/// server's start, seconds may pass, in which others look for ports as well.
pub(super) fn free_port() -> io::Result<u16> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in PORTS {
        match taken.left.next() {
            Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => {
                return Ok(port);
            }
            Some(_used) => {}
            None => {
                let (lock, block) = take_block()?;
                taken.locks.push(lock);
                taken.left = block;
            }
        }
    }
    Err(none_left())
}

/// Locks the file of a block that no process has locked.
fn take_block() -> io::Result<(File, Range<u16>)> {
    // Nobody may write into the folder of another user.
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("shedlock-testkit-ports-{user}"));
    fs::create_dir_all(&folder)?;
    let blocks = (PORTS.end - PORTS.start) / BLOCK;
    let first = fastrand::u16(..blocks);
    for number in (first..blocks).chain(0..first) {
        let start = PORTS.start + number * BLOCK;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(start.to_string()))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok((file, start..start + BLOCK));
        }
    }
    Err(none_left())
}

fn none_left() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "no free port found")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_returned_twice() {
        let ports: Vec<_> = (0..3 * BLOCK).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }

    #[test]
    fn a_block_is_taken_once_while_its_lock_is_held() {
        let (lock, one) = take_block().unwrap();
        let others: Vec<_> = (0..20).map(|_| take_block().unwrap()).collect();
        assert!(others.iter().all(|(_, other)| *other != one));
        drop((lock, others));
    }
}
