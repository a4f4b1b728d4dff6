//! Addresses of this machine that nobody else uses.
//!
//! A proxy cannot be asked which port the system chose, so each gets an address of its own out of 127.128.0.0/9 and fixed ports:
//! no two servers of a test program meet, nor those of two programs.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

/// Low bits that count the addresses of one process; the bits above are the process's.
const COUNTED: u32 = 9;

/// The next address.
pub fn address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(count < 1 << COUNTED, "a test program has no more than {} addresses", 1 << COUNTED);
    let process = std::process::id() & ((1 << (23 - COUNTED)) - 1);
    Ipv4Addr::from(0x7f80_0000 | process << COUNTED | count)
}

/// A port on which nobody listens, held as long as the value lives.
pub struct ClosedPort {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl ClosedPort {
    /// Takes one: bound, so that nobody else gets it, but not listening.
    pub fn take() -> Self {
        let (socket, address) = bound();
        Self { address, _socket: socket }
    }

    /// The port's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A port whose queue of connections is full, so that one more gets no answer at all.
pub struct FullPort {
    address: SocketAddr,
    _socket: OwnedFd,
    _queue: Vec<TcpStream>,
}

impl FullPort {
    /// Makes one and fills its queue.
    pub fn make() -> Self {
        let (socket, address) = bound();
        listen(&socket, 0).unwrap();
        let mut queue = Vec::new();
        let brief = Duration::from_millis(300);
        while let Ok(stream) = TcpStream::connect_timeout(&address, brief) {
            queue.push(stream);
            assert!(queue.len() < 64, "a queue of length 0 does not fill");
        }
        Self { address, _socket: socket, _queue: queue }
    }

    /// The port's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bound() -> (OwnedFd, SocketAddr) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}
