//! Steps of a run: in order, timed, stopped at the first failure, and summed up at the end. Some go on beside the others, in
//! lanes of their own, until a step comes that needs them.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::say;

/// One step.
pub struct Step {
    /// Its name, as `--only` takes it.
    pub name: String,
    /// Whether `--fast` leaves it out.
    pub slow: bool,
    /// What goes on beside and has to have ended before it begins.
    after: Option<&'static str>,
    work: Work,
}

/// A lane beside the others: its steps are done one after the other.
#[derive(Clone, Default)]
pub struct Lane(Arc<Mutex<()>>);

/// What a step does.
enum Work {
    Here(Box<dyn Fn() -> Result<(), Failure>>),
    Beside(Lane, Arc<dyn Fn() -> Result<(), Failure> + Send + Sync>),
}

impl Step {
    /// A step that every run does.
    pub fn new(name: &str, work: impl Fn() -> Result<(), Failure> + 'static) -> Self {
        Self { name: name.to_owned(), slow: false, after: None, work: Work::Here(Box::new(work)) }
    }

    /// A step that goes on in a lane beside those that follow.
    pub fn beside(
        lane: &Lane,
        name: &str,
        work: impl Fn() -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { work: Work::Beside(lane.clone(), Arc::new(work)), ..Self::new(name, || Ok(())) }
    }

    /// The same step, begun when the step `other`, which goes on beside, has ended.
    #[must_use]
    pub fn after(self, other: &'static str) -> Self {
        Self { after: Some(other), ..self }
    }

    /// The same step, left out by `--fast` when `slow`.
    #[must_use]
    pub fn slow(self, slow: bool) -> Self {
        Self { slow, ..self }
    }
}

/// What became of a step.
enum Outcome {
    Passed(Duration),
    Skipped,
    CannotRun(Duration, String),
    Failed(Duration),
}

/// Runs the steps that `wanted` wants. A step that cannot run here is reported; when `strict`, it is a failure, unless the
/// machine is what is missing.
pub fn run(steps: &[Step], wanted: impl Fn(&Step) -> bool, strict: bool) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut run = Run { strict, outcomes: Vec::new(), beside: Vec::new() };
    let mut result = Ok(());
    for step in steps {
        if !wanted(step) {
            run.outcomes.push((step.name.clone(), Outcome::Skipped));
            continue;
        }
        let ready = step.after.map_or(Ok(()), |other| run.join(|name| name == other));
        result = ready.and_then(|()| run.begin(step));
        if result.is_err() {
            break;
        }
    }
    let result = run.join(|_| true).and(result);
    summary(&mut run.outcomes, begun.elapsed());
    result
}

/// A step that goes on beside the others; it tells how long it took.
type Beside = (String, JoinHandle<(Result<(), Failure>, Duration)>);

/// What has been done, and what goes on.
struct Run {
    strict: bool,
    outcomes: Vec<(String, Outcome)>,
    beside: Vec<Beside>,
}

impl Run {
    fn begin(&mut self, step: &Step) -> Result<(), Failure> {
        say::line(&format!("\n=== {}", step.name));
        let clock = Instant::now();
        match &step.work {
            Work::Here(work) => {
                let done = work();
                self.end(&step.name, done, clock.elapsed())
            }
            Work::Beside(lane, work) => {
                let (lane, work) = (lane.clone(), Arc::clone(work));
                let thread = thread::spawn(move || {
                    let _turn = lane.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let clock = Instant::now();
                    (work(), clock.elapsed())
                });
                self.beside.push((step.name.clone(), thread));
                Ok(())
            }
        }
    }

    /// Waits for what goes on beside and is `meant`.
    fn join(&mut self, meant: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let mut result = Ok(());
        let (ended, others) = std::mem::take(&mut self.beside).into_iter().partition(|(name, _)| meant(name));
        self.beside = others;
        let ended: Vec<Beside> = ended;
        for (name, thread) in ended {
            let panicked = |_| (Err(Failure::Usage("it panicked".into())), Duration::ZERO);
            let (done, took) = thread.join().unwrap_or_else(panicked);
            result = result.and(self.end(&name, done, took));
        }
        result
    }

    fn end(&mut self, name: &str, done: Result<(), Failure>, took: Duration) -> Result<(), Failure> {
        say::line(&format!("=== {name}: {:.1} s", took.as_secs_f64()));
        let (outcome, result) = match done {
            Ok(()) => (Outcome::Passed(took), Ok(())),
            Err(Failure::CannotRun(why)) if !self.strict => (Outcome::CannotRun(took, why), Ok(())),
            Err(Failure::NotHere(why)) => (Outcome::CannotRun(took, why), Ok(())),
            Err(failure) => (Outcome::Failed(took), Err(Failure::Step(name.to_owned(), Box::new(failure)))),
        };
        self.outcomes.push((name.to_owned(), outcome));
        result
    }
}

/// The slowest step first, then what was left out.
fn summary(outcomes: &mut [(String, Outcome)], total: Duration) {
    outcomes.sort_by_key(|(_, outcome)| std::cmp::Reverse(duration(outcome)));
    say::line("\n     time  step");
    for (name, outcome) in outcomes.iter() {
        let time =
            duration(outcome).map_or_else(|| "–".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let remark = match outcome {
            Outcome::Passed(_) => String::new(),
            Outcome::Skipped => ": skipped".to_owned(),
            Outcome::CannotRun(_, why) => format!(": CANNOT RUN: {why}"),
            Outcome::Failed(_) => ": FAILED".to_owned(),
        };
        say::line(&format!("{time:>9}  {name}{remark}"));
    }
    say::line(&format!("{:>7.1} s  in all", total.as_secs_f64()));
}

fn duration(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Passed(time) | Outcome::CannotRun(time, _) | Outcome::Failed(time) => Some(*time),
        Outcome::Skipped => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let step = |name: &'static str, fails: bool| {
            let seen = Rc::clone(&seen);
            Step::new(name, move || {
                seen.borrow_mut().push(name);
                if fails { Err(Failure::Usage("broken".into())) } else { Ok(()) }
            })
        };
        let steps = [step("one", false), step("two", true), step("three", false)];
        let failure = run(&steps, |_| true, true).unwrap_err();
        assert_eq!(failure.to_string(), "step `two` failed: broken");
        assert_eq!(*seen.borrow(), ["one", "two"]);
    }

    #[test]
    fn what_cannot_run_fails_only_a_strict_run() {
        let steps = [Step::new("deny", || Err(Failure::CannotRun("no network".into())))];
        assert!(run(&steps, |_| true, false).is_ok());
        assert!(run(&steps, |_| true, true).is_err());
        let steps = [Step::new("cluster", || Err(Failure::NotHere("no namespaces".into())))];
        assert!(run(&steps, |_| true, true).is_ok());
    }

    #[test]
    fn a_step_beside_the_others_is_waited_for() {
        let (send, receive) = std::sync::mpsc::channel();
        let receive = std::sync::Mutex::new(receive);
        // It can end only when the next step has begun, and is over before the one that waits for it.
        let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (told, seen) = (Arc::clone(&over), Arc::clone(&over));
        let steps = [
            Step::beside(&Lane::default(), "programs", move || {
                receive.lock().unwrap().recv().unwrap();
                told.store(true, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }),
            Step::new("tests", move || send.send(()).map_err(|_| Failure::Usage("nobody waits".into()))),
            Step::new("suite", move || {
                let over = seen.load(std::sync::atomic::Ordering::SeqCst);
                if over { Ok(()) } else { Err(Failure::Usage("begun too early".into())) }
            })
            .after("programs"),
        ];
        assert!(run(&steps, |_| true, true).is_ok());
        let steps = [
            Step::beside(&Lane::default(), "programs", || Err(Failure::Usage("broken".into()))),
            Step::new("suite", || panic!("begun without its programs")).after("programs"),
        ];
        assert_eq!(run(&steps, |_| true, true).unwrap_err().to_string(), "step `programs` failed: broken");
    }

    #[test]
    fn steps_of_one_lane_are_done_one_after_the_other_and_nobody_waits_for_them() {
        let (lane, busy) = (Lane::default(), Arc::new(Mutex::new(())));
        let (send, receive) = std::sync::mpsc::channel();
        let receive = Mutex::new(receive);
        let first = Arc::clone(&busy);
        let alone =
            move |busy: &Mutex<()>| busy.try_lock().map(drop).map_err(|_| Failure::Usage("not alone".into()));
        let steps = [
            Step::beside(&lane, "one", move || {
                let _held = first.try_lock().map_err(|_| Failure::Usage("not alone".into()))?;
                receive.lock().unwrap().recv().map_err(|_| Failure::Usage("nobody goes on".into()))
            }),
            Step::beside(&lane, "two", move || alone(&busy)),
            Step::new("three", move || send.send(()).map_err(|_| Failure::Usage("nobody waits".into()))),
        ];
        assert!(run(&steps, |_| true, true).is_ok());
        let steps = [
            Step::beside(&lane, "one", || Err(Failure::Usage("broken".into()))),
            Step::new("two", || Ok(())),
        ];
        assert_eq!(run(&steps, |_| true, true).unwrap_err().to_string(), "step `one` failed: broken");
    }

    #[test]
    fn an_unwanted_step_is_not_run() {
        let steps = [Step::new("suite", || Err(Failure::Usage("ran".into()))).slow(true)];
        assert!(run(&steps, |step| !step.slow, true).is_ok());
    }
}
