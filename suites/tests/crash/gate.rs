//! Who may talk to the server, and when: pushers pass while the gate is open, and wait at it while the server is down.

use std::sync::{Condvar, Mutex, PoisonError};

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
    lost: usize,
}

impl Gate {
    /// An open gate to the server that `http` talks to.
    pub fn new(http: Http) -> Self {
        let state = State { http, open: true, ended: false, waiting: 0, lost: 0 };
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
        let (state, _) = self
            .changed
            .wait_timeout_while(state, limit, |state| state.waiting + state.lost < count)
            .unwrap();
        assert_eq!(state.lost, 0, "a pusher found a broken promise; its message is above");
        assert_eq!(state.waiting, count, "a pusher is stuck");
    }

    /// Notes that a pusher has failed.
    pub fn lose_one(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost += 1;
        self.changed.notify_all();
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
