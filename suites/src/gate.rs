//! Who may talk to a server, and when: clients pass through doors that are open, and wait while all of them are closed.
//!
//! Behind each door is one replica. A test that kills a replica closes its door first and opens it to the new one; what a
//! client was at then breaks off, and the client passes once more, through another door if there is one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http::Http;

/// How long a client may be at one request.
const STUCK: Duration = Duration::from_mins(1);

/// The doors of one registry.
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    doors: Vec<Door>,
    /// The door that was used last.
    last: usize,
    ended: bool,
    waiting: usize,
    lost: usize,
}

struct Door {
    http: Http,
    open: bool,
}

impl Gate {
    /// Open doors to the servers that `https` talk to.
    pub fn new(https: impl IntoIterator<Item = Http>) -> Self {
        let doors = https.into_iter().map(|http| Door { http, open: true }).collect();
        let state = State { doors, last: 0, ended: false, waiting: 0, lost: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until a server is there, and gives the client to talk to it: each time another one, as a balancer does.
    pub fn pass(&self) -> Http {
        let mut state = self.wait(|state| state.doors.iter().any(|door| door.open));
        let count = state.doors.len();
        let ahead = (1..=count).map(|step| (state.last + step) % count);
        state.last = ahead.into_iter().find(|at| state.doors[*at].open).unwrap();
        state.doors[state.last].http.clone()
    }

    /// The same for one server.
    pub fn pass_at(&self, at: usize) -> Http {
        self.wait(|state| state.doors[at].open).doors[at].http.clone()
    }

    fn wait(&self, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| !ready(state)).unwrap();
        state.waiting -= 1;
        state
    }

    /// Whether the clients shall stop when they have finished what they are at.
    pub fn ended(&self) -> bool {
        self.lock().ended
    }

    /// Lets nobody pass this door from now on.
    pub fn close(&self, at: usize) {
        self.lock().doors[at].open = false;
    }

    /// Waits, with all doors closed, until `count` clients have noticed it: what they were promised is then written down.
    pub fn wait_until_all_are_at_it(&self, count: usize) {
        let state = self.lock();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, STUCK, |state| state.waiting + state.lost < count)
            .unwrap();
        assert_nobody_lost(&state);
        assert_eq!(state.waiting, count, "a client is stuck");
    }

    /// Fails the test when a client has failed.
    pub fn check(&self) {
        assert_nobody_lost(&self.lock());
    }

    /// Notes that a client has failed.
    pub fn lose_one(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost += 1;
        self.changed.notify_all();
    }

    /// Opens a door to a new server.
    pub fn open(&self, at: usize, http: Http) {
        self.lock().doors[at] = Door { http, open: true };
        self.changed.notify_all();
    }

    /// Tells the clients to stop.
    pub fn end(&self) {
        self.lock().ended = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn assert_nobody_lost(state: &State) {
    assert_eq!(state.lost, 0, "a client found a broken promise; its message is above");
}
