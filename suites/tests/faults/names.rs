//! A name server that has one answer to every question, and a program that asks it alone.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use railhead_suites::loopback;

/// Codes of RFC 1035, 4.1.1.
pub const SERVER_FAILURE: u8 = 2;
pub const NAME_ERROR: u8 = 3;

/// A running name server; it ends when dropped.
pub struct Names {
    ended: Arc<AtomicBool>,
    under: Vec<String>,
}

impl Names {
    /// Answers every question with `code`.
    pub fn answering(scratch: &Path, code: u8) -> Self {
        let address = loopback::address();
        let socket = UdpSocket::bind((address, 53)).expect("CANNOT RUN: port 53 needs root");
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        thread::spawn(move || {
            let mut question = [0; 512];
            while !end.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut question) {
                    question[2] |= 0x80;
                    question[3] = 0x80 | code;
                    // The asker may be gone; then nobody waits for this.
                    let _ = socket.send_to(&question[..length], from);
                }
            }
        });
        let file = scratch.join("resolv.conf");
        fs::write(&file, format!("nameserver {address}\noptions timeout:2 attempts:1\n")).unwrap();
        let script = format!("mount --bind '{}' /etc/resolv.conf && exec \"$@\"", file.display());
        let under = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
        Self { ended, under }
    }

    /// Words that run a program with this name server alone.
    pub fn under(&self) -> Vec<String> {
        self.under.clone()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}
