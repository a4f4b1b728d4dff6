//! Which codes of an inspection were seen on a real cluster, and which only in the tests of the rules.

use std::collections::BTreeSet;

const CODES: &str = include_str!("../../../crates/doctor/src/code/cluster.rs");
const RULES: &str = include_str!("../../../crates/operate/src/inspect/tests.rs");
const HERE: [&str; 2] = [include_str!("inspect.rs"), include_str!("others.rs")];

/// What the tests beside this one expect of a real cluster.
const SEEN: [&str; 19] = [
    "RH-APP-IMPLICIT",
    "RH-APP-ROOT-URL",
    "RH-BACKUP-FAILED",
    "RH-BACKUP-NONE",
    "RH-BACKUP-PARTLY",
    "RH-CLUSTER-RIGHT",
    "RH-DATABASE-BACKUP",
    "RH-DATABASE-DOWN",
    "RH-RELEASE-NAMESPACE",
    "RH-RELEASE-ROLLOUT",
    "RH-RELEASE-TWICE",
    "RH-ROUTE-ABSENT",
    "RH-ROUTE-BACKEND",
    "RH-ROUTE-NODEPORT",
    "RH-STORAGE-NODE",
    "RH-STORAGE-SHARED",
    "RH-TLS-EXPIRES-SOON",
    "RH-TLS-ISSUE",
    "RH-TLS-SECRET",
];

/// What was only tried with objects written by hand.
const BY_RULES_ALONE: [&str; 10] = [
    "RH-APP-DISABLED",
    "RH-APP-UNITS",
    "RH-RELEASE-DRIFT",
    "RH-RELEASE-NONE",
    "RH-RELEASE-UNFINISHED",
    "RH-STORAGE-EPHEMERAL",
    "RH-STORAGE-FILLS",
    "RH-TLS-EXPIRED",
    "RH-TLS-NAME",
    "RH-TLS-ROUTE",
];

/// Codes that an inspection has from the doctor.
const OF_THE_DOCTOR: [&str; 4] = ["RH-APP-DISABLED", "RH-TLS-EXPIRED", "RH-TLS-EXPIRES-SOON", "RH-TLS-NAME"];

#[test]
fn each_code_of_an_inspection_is_tried_and_it_is_said_where() {
    let own = CODES.lines().filter_map(|line| line.trim().strip_prefix("code: \"")?.strip_suffix("\","));
    let all: BTreeSet<&str> = own.chain(OF_THE_DOCTOR).collect();
    let listed: BTreeSet<&str> = SEEN.into_iter().chain(BY_RULES_ALONE).collect();
    assert_eq!(all, listed);
    for code in SEEN {
        assert!(HERE.iter().any(|text| text.contains(&format!("\"{code}\""))), "{code} is in no test here");
    }
    for code in BY_RULES_ALONE {
        assert!(RULES.contains(&format!("\"{code}\"")), "{code} is in no test of the rules");
    }
}
