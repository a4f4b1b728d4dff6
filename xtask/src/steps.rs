//! Steps of a run: in order, timed, stopped at the first failure, and summed up at the end.

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::say;

/// One step.
pub struct Step {
    /// Its name, as `--only` takes it.
    pub name: String,
    /// Whether `--fast` leaves it out.
    pub slow: bool,
    work: Box<dyn Fn() -> Result<(), Failure>>,
}

impl Step {
    /// A step that every run does.
    pub fn new(name: &str, work: impl Fn() -> Result<(), Failure> + 'static) -> Self {
        Self { name: name.to_owned(), slow: false, work: Box::new(work) }
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
    let mut outcomes = Vec::new();
    let mut result = Ok(());
    for step in steps {
        if !wanted(step) {
            outcomes.push((step.name.as_str(), Outcome::Skipped));
            continue;
        }
        say::line(&format!("\n=== {}", step.name));
        let clock = Instant::now();
        let done = (step.work)();
        let took = clock.elapsed();
        say::line(&format!("=== {}: {:.1} s", step.name, took.as_secs_f64()));
        match done {
            Ok(()) => outcomes.push((&step.name, Outcome::Passed(took))),
            Err(Failure::CannotRun(why)) if !strict => {
                outcomes.push((&step.name, Outcome::CannotRun(took, why)));
            }
            Err(Failure::NotHere(why)) => outcomes.push((&step.name, Outcome::CannotRun(took, why))),
            Err(failure) => {
                outcomes.push((&step.name, Outcome::Failed(took)));
                result = Err(Failure::Step(step.name.clone(), Box::new(failure)));
                break;
            }
        }
    }
    summary(&mut outcomes, begun.elapsed());
    result
}

/// The slowest step first, then what was left out.
fn summary(outcomes: &mut [(&str, Outcome)], total: Duration) {
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
    fn an_unwanted_step_is_not_run() {
        let steps = [Step::new("suite", || Err(Failure::Usage("ran".into()))).slow(true)];
        assert!(run(&steps, |step| !step.slow, true).is_ok());
    }
}
