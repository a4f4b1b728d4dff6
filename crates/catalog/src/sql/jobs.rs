//! Operations on their way to a thread of the database and back.
//!
//! Invariant: every job that was taken from a queue is answered once, and an answer is sent only after its
//! transaction was committed or undone. When a thread ends, its queue closes and what waits there is dropped, which
//! the waiting side sees as [`Error::Closed`].

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Sql;
use crate::{Error, Result};

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It changes nothing, and is one statement, or several that need not agree.
    Read,
    /// It is on disk before it is answered.
    Durable,
    /// It survives the end of the process, but need not survive that of the machine.
    Volatile,
}

/// An operation that waits for its turn.
pub(crate) trait Job: Send {
    fn mode(&self) -> Mode;
    /// Runs it and keeps its result; `Err` says that its changes are to be undone.
    fn run(&mut self, sql: &mut dyn Sql) -> Result<(), Failed>;
    /// What it failed with, if it did.
    fn error(&self) -> Option<&Error>;
    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool;
    /// Sends the result.
    fn answer(self: Box<Self>);
    /// Sends an error instead, as the transaction could not be begun or committed.
    fn fail(self: Box<Self>, error: Error);
}

/// The operation failed; see [`Job::error`].
#[derive(Debug)]
pub(crate) struct Failed;

struct Task<T, F> {
    doing: &'static str,
    mode: Mode,
    operation: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

/// A job, and where its answer will be. `doing` completes the sentence "the catalog could not …".
pub(crate) fn task<T: Send + 'static>(
    doing: &'static str,
    mode: Mode,
    operation: impl FnMut(&mut dyn Sql) -> Result<T> + Send + 'static,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Task { doing, mode, operation, result: None, reply }), answer)
}

impl<T: Send, F: FnMut(&mut dyn Sql) -> Result<T> + Send> Job for Task<T, F> {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn run(&mut self, sql: &mut dyn Sql) -> Result<(), Failed> {
        // A panic must not end the thread that everybody's operations need.
        let result = catch_unwind(AssertUnwindSafe(|| (self.operation)(sql))).unwrap_or_else(|_| {
            Err(Error::Corrupt(format!("a mistake in this program showed when it was to {}", self.doing)))
        });
        self.result
            .insert(result.map_err(|error| error.during(self.doing)))
            .as_ref()
            .map_or(Err(Failed), |_| Ok(()))
    }

    fn error(&self) -> Option<&Error> {
        self.result.as_ref()?.as_ref().err()
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>) {
        let Self { reply, result, .. } = *self;
        if let Some(result) = result {
            // Nobody listens when the caller was cancelled; the operation has happened all the same.
            let _ = reply.send(result);
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error.during(self.doing)));
    }
}

/// Jobs in the order in which they came.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { jobs: VecDeque::new(), closed: false }), arrived: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; when the queue is closed the job is dropped.
    pub(crate) fn push(&self, job: Box<dyn Job>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.jobs.push_back(job);
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits for jobs and takes up to `most`. `None`: the queue is closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Box<dyn Job>>> {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.jobs.len().min(most);
        Some(state.jobs.drain(..count).collect())
    }

    /// Lets the threads finish what is queued and then end.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// For a thread that cannot go on: nobody will take what is queued.
    fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
        self.arrived.notify_all();
    }
}

/// Closes the queue when the thread that serves it ends, for whatever reason.
pub(crate) struct Serving<'a>(pub(crate) &'a Queue);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
