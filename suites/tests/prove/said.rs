//! What a command said, to be compared.

use std::fmt;

use railhead_suites::Operator;
use railhead_suites::program::Outcome;
use serde_json::Value;

/// A run of `prove` or `handoff --check` with the evidence that it kept.
pub struct Said {
    pub outcome: Outcome,
    /// Its `result`.
    pub result: Value,
    /// All of it.
    pub evidence: Value,
}

impl Said {
    /// Runs `words`, which keep evidence of `kind`. None of `secrets` may stand in what is said and kept.
    pub fn of(operator: &Operator, kind: &str, words: &[&str], secrets: &[&str]) -> Self {
        let before = operator.evidence(kind).len();
        let outcome = operator.run(words);
        let kept = operator.evidence(kind);
        assert_eq!(kept.len(), before + 1, "no evidence of {kind}: {outcome}");
        let evidence = kept.last().unwrap().clone();
        let all = format!("{}{}{}", outcome.stdout, outcome.stderr, operator.evidence_files().join(""));
        for secret in secrets {
            assert!(!all.contains(secret), "a secret is in what was said or kept: {outcome}");
        }
        Self { outcome, result: evidence["result"].clone(), evidence }
    }

    /// The steps of a proof, or the facts of a check.
    fn steps(&self) -> &[Value] {
        let steps = self.result.get("steps").or_else(|| self.result.get("facts"));
        steps.and_then(Value::as_array).unwrap()
    }

    /// The names of the steps with this outcome, each once.
    pub fn with(&self, outcome: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for step in self.steps().iter().filter(|step| step["outcome"] == outcome) {
            let name = step["name"].as_str().unwrap();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What was seen at the first step of this name.
    pub fn detail(&self, name: &str) -> &str {
        let step = self.steps().iter().find(|step| step["name"] == name);
        step.unwrap_or_else(|| panic!("no {name} in {self}"))["detail"].as_str().unwrap()
    }

    /// Fails the test unless exactly these steps failed, and the command ended with this code.
    #[track_caller]
    pub fn failed(self, names: &[&str], code: i32) -> Self {
        assert_eq!((self.with("failed"), self.outcome.code), (names.to_vec(), Some(code)), "{self}");
        assert_eq!(self.evidence["ok"], names.is_empty(), "{self}");
        if !names.is_empty() {
            assert!(self.outcome.stderr.contains("\nhint: "), "a failure without a hint: {self}");
        }
        self
    }

    /// Fails the test unless all was well.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.failed(&[], 0)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}
