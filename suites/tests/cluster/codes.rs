//! Each code of an inspection was seen on a real cluster.

use std::collections::BTreeSet;

const CODES: &str = include_str!("../../../crates/doctor/src/code/cluster.rs");
const HERE: [&str; 3] = [include_str!("inspect.rs"), include_str!("others.rs"), include_str!("rules.rs")];

/// What the tests beside this one expect of a real cluster.
const SEEN: [&str; 29] = [
    "RH-APP-DISABLED",
    "RH-APP-IMPLICIT",
    "RH-APP-ROOT-URL",
    "RH-APP-UNITS",
    "RH-BACKUP-FAILED",
    "RH-BACKUP-NONE",
    "RH-BACKUP-PARTLY",
    "RH-CLUSTER-RIGHT",
    "RH-DATABASE-BACKUP",
    "RH-DATABASE-DOWN",
    "RH-RELEASE-DRIFT",
    "RH-RELEASE-NAMESPACE",
    "RH-RELEASE-NONE",
    "RH-RELEASE-ROLLOUT",
    "RH-RELEASE-TWICE",
    "RH-RELEASE-UNFINISHED",
    "RH-ROUTE-ABSENT",
    "RH-ROUTE-BACKEND",
    "RH-ROUTE-NODEPORT",
    "RH-STORAGE-EPHEMERAL",
    "RH-STORAGE-FILLS",
    "RH-STORAGE-NODE",
    "RH-STORAGE-SHARED",
    "RH-TLS-EXPIRED",
    "RH-TLS-EXPIRES-SOON",
    "RH-TLS-ISSUE",
    "RH-TLS-NAME",
    "RH-TLS-ROUTE",
    "RH-TLS-SECRET",
];

/// Codes that an inspection has from the doctor.
const OF_THE_DOCTOR: [&str; 4] = ["RH-APP-DISABLED", "RH-TLS-EXPIRED", "RH-TLS-EXPIRES-SOON", "RH-TLS-NAME"];

#[test]
fn each_code_of_an_inspection_is_expected_of_a_real_cluster() {
    let own = CODES.lines().filter_map(|line| line.trim().strip_prefix("code: \"")?.strip_suffix("\","));
    let all: BTreeSet<&str> = own.chain(OF_THE_DOCTOR).collect();
    assert_eq!(all, BTreeSet::from(SEEN));
    for code in SEEN {
        assert!(HERE.iter().any(|text| text.contains(&format!("\"{code}\""))), "{code} is in no test here");
    }
}
