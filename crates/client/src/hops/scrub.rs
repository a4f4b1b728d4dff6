//! Goes over a finished record once more: a token may stand in an answer that was read before the token was known.

use super::record::{Answered, Broken, Limits, Slow, Step, Walk};
use super::redact::Secrets;

/// Takes the secrets that are known at the end of a walk out of all of it.
pub(super) fn scrub(walk: &mut Walk, secrets: &Secrets) {
    let scrub = Scrub(secrets);
    scrub.step(&mut walk.resolve, |_| ());
    scrub.step(&mut walk.connect, |_| ());
    scrub.step(&mut walk.tls, |_| ());
    scrub.step(&mut walk.registry, |seen| scrub.answered(seen));
    for redirect in &mut walk.redirects {
        scrub.text(&mut redirect.location);
        if let Some(answer) = &mut redirect.answer {
            scrub.step(answer, |seen| scrub.answered(seen));
        }
    }
    scrub.step(&mut walk.challenge, |seen| {
        seen.headers.iter_mut().for_each(|line| scrub.text(line));
        let challenges = seen.challenges.iter_mut();
        challenges
            .flat_map(|challenge| challenge.parameters.values_mut())
            .for_each(|value| scrub.text(value));
    });
    scrub.step(&mut walk.realm, |seen| {
        scrub.text(&mut seen.realm);
        scrub.answered(&mut seen.get);
        scrub.step(&mut seen.post, |seen| scrub.answered(seen));
    });
    scrub.step(&mut walk.anonymous_token, |seen| scrub.answered(&mut seen.answer));
    scrub.step(&mut walk.token, |seen| scrub.answered(&mut seen.answer));
    scrub.step(&mut walk.authenticated, |seen| scrub.answered(seen));
    scrub.step(&mut walk.read, |seen| scrub.answered(seen));
    scrub.step(&mut walk.write, |seen| {
        scrub.answered(&mut seen.begin);
        seen.location.iter_mut().for_each(|location| scrub.text(location));
        for step in seen.patch.iter_mut().chain(&mut seen.cancel) {
            scrub.step(step, |seen| scrub.answered(seen));
        }
    });
    let behind = &mut walk.behind;
    let beside = behind.root.iter_mut().chain(&mut behind.version).chain(&mut behind.nowhere);
    for answered in beside.chain(&mut walk.read_as_nobody) {
        scrub.answered(answered);
    }
    walk.limits.iter_mut().for_each(|limits| scrub.limits(limits));
}

struct Scrub<'a>(&'a Secrets);

impl Scrub<'_> {
    fn text(&self, text: &mut String) {
        *text = self.0.clean(text);
    }

    fn broken(&self, broken: &mut Broken) {
        self.text(&mut broken.detail);
    }

    fn step<T>(&self, step: &mut Step<T>, seen: impl FnOnce(&mut T)) {
        match step {
            Step::Taken { seen: all, .. } => seen(all),
            Step::Broken { broke, .. } => self.broken(broke),
            Step::Skipped { why, .. } => self.text(why),
        }
    }

    fn answered(&self, answered: &mut Answered) {
        self.text(&mut answered.asked);
        answered.headers.iter_mut().for_each(|(_, value)| self.text(value));
        self.text(&mut answered.body);
        answered.body_broke.iter_mut().for_each(|broken| self.broken(broken));
    }

    fn limits(&self, limits: &mut Limits) {
        if let Some((_, answered)) = &mut limits.size.refused {
            self.answered(answered);
        }
        for slow in [&mut limits.trickle, &mut limits.pause] {
            match slow {
                Slow::Cut { answer: Some(answered), .. } => self.answered(answered),
                Slow::Untried { why } => self.text(why),
                Slow::Cut { answer: None, .. } | Slow::Passed { .. } | Slow::Unanswered { .. } => {}
            }
        }
    }
}
