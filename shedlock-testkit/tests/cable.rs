//! A cable is cut as told, and never outlives the process that laid it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use shedlock_testkit::processes::Reexec;
use shedlock_testkit::proxy::Direction;
use shedlock_testkit::{Cable, server_or_skip};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

const NEAR: &str = "SHEDLOCK_CABLE_NEAR";
/// Long enough for anything that should happen.
const SOON: Duration = Duration::from_secs(20);
/// Long enough to believe that nothing happens.
const NEVER: Duration = Duration::from_millis(300);

/// Says all the time how many messages it has got.
#[test]
#[ignore = "runs as the child of another test of this file"]
fn far_end() {
    let Ok(near) = std::env::var(NEAR) else {
        return;
    };
    // The parent holds the other end: without it this process has no business.
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(near).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(10)))
        .unwrap();
    let mut heard = 0_u32;
    loop {
        // Nobody listens yet, or any more: the answer to that is an error of the next call.
        let _refused = socket.send(&heard.to_be_bytes());
        heard += u32::from(socket.recv(&mut [0; 8]).is_ok());
    }
}

struct Near(tokio::net::UdpSocket);

impl Near {
    /// What the far end says next, and where it is.
    async fn hear(&self) -> Option<(u32, SocketAddr)> {
        let mut count = [0; 4];
        let told = timeout(NEVER, self.0.recv_from(&mut count)).await;
        let (_, from) = told.ok()?.unwrap();
        Some((u32::from_be_bytes(count), from))
    }

    async fn until(&self, mut condition: impl FnMut(u32) -> bool) -> SocketAddr {
        let heard = async {
            loop {
                if let Some((count, from)) = self.hear().await
                    && condition(count)
                {
                    return from;
                }
            }
        };
        timeout(SOON, heard).await.unwrap()
    }

    async fn until_silent(&self) {
        timeout(SOON, async { while self.hear().await.is_some() {} })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn each_direction_is_cut_and_restored() {
    let cable = server_or_skip!(Cable::create().await);
    let near = tokio::net::UdpSocket::bind((cable.near_address(), 0))
        .await
        .unwrap();
    let address = near.local_addr().unwrap().to_string();
    let near = Near(near);
    let far = Reexec::new("cable::far_end").env(NEAR, address);
    let mut command = far.behind(&cable).command().unwrap();
    let _far = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let far = near.until(|_| true).await;
    assert_eq!(far.ip(), cable.far_address());
    near.0.send_to(b"one", far).await.unwrap();
    near.until(|count| count == 1).await;

    cable.cut(Direction::ToServer).await;
    near.until_silent().await;
    near.0.send_to(b"two", far).await.unwrap();
    cable.restore().await;
    near.until(|count| count == 2).await;

    cable.cut(Direction::ToClient).await;
    near.0.send_to(b"lost", far).await.unwrap();
    // It goes on speaking, and has not heard it.
    for _ in 0..30 {
        assert_eq!(near.hear().await.unwrap().0, 2);
    }
    cable.restore().await;
    near.0.send_to(b"three", far).await.unwrap();
    near.until(|count| count == 3).await;

    cable.cut(Direction::Both).await;
    near.until_silent().await;
    near.0.send_to(b"lost", far).await.unwrap();
    cable.restore().await;
    near.0.send_to(b"four", far).await.unwrap();
    near.until(|count| count == 4).await;
}

/// Lays a cable, says what it is called, and waits to be killed.
#[tokio::test]
#[ignore = "runs as the child of another test of this file"]
async fn somebody_who_is_killed() {
    if std::env::var_os(NEAR).is_some() {
        let cable = Cable::create().await.unwrap();
        println!("\ncable {}", cable.near_interface());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_cable_ends_with_the_process_that_made_it() {
    drop(server_or_skip!(Cable::create().await));
    let mut command = Reexec::new("cable::somebody_who_is_killed")
        .env(NEAR, "")
        .command()
        .unwrap();
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    let name = loop {
        let line = timeout(SOON, said.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if let Some(name) = line.strip_prefix("cable ") {
            break name.to_owned();
        }
    };
    let interface = Path::new("/sys/class/net").join(name);
    assert!(interface.exists());
    process.kill().await.unwrap();
    is_gone_soon(&interface).await;
}

async fn is_gone_soon(interface: &Path) {
    let gone = async {
        while interface.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, gone).await.unwrap();
}

#[tokio::test]
async fn a_dropped_cable_is_removed() {
    let cable = server_or_skip!(Cable::create().await);
    let interface = Path::new("/sys/class/net").join(cable.near_interface());
    assert!(interface.exists());
    drop(cable);
    is_gone_soon(&interface).await;
}
