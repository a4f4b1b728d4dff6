//! Who may talk to the server, and when: pushers pass while the gate is open, and wait at it while the server is down.

use std::sync::{Condvar, Mutex};

use railhead_suites::http::Http;

pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    http: Http,
    open: bool,
    ended: bool,
    waiting: usize,
}

impl Gate {
    /// An open gate to the server that `http` talks to.
    pub fn new(http: Http) -> Self {
        let state = State { http, open: true, ended: false, waiting: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until the server is there and gives the client to talk to it.
    pub fn pass(&self) -> Http {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| !state.open).unwrap();
        state.waiting -= 1;
        state.http.clone()
    }

    /// Whether the pushers shall stop when they have finished what they are at.
    pub fn ended(&self) -> bool {
        self.state.lock().unwrap().ended
    }

    /// Lets nobody pass from now on.
    pub fn close(&self) {
        self.state.lock().unwrap().open = false;
    }

    /// Waits until `count` pushers have noticed that the server was killed: the promises are then written down.
    pub fn wait_until_all_are_at_it(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let limit = std::time::Duration::from_mins(1);
        let (_state, late) =
            self.changed.wait_timeout_while(state, limit, |state| state.waiting < count).unwrap();
        assert!(!late.timed_out(), "a pusher is gone or stuck");
    }

    /// Opens it to the new server.
    pub fn open(&self, http: Http) {
        let mut state = self.state.lock().unwrap();
        (state.http, state.open) = (http, true);
        self.changed.notify_all();
    }

    /// Tells the pushers to stop.
    pub fn end(&self) {
        self.state.lock().unwrap().ended = true;
    }
}
