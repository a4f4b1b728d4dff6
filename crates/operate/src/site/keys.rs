//! Every key of the operator's tables, once: what it takes and what it is for. The reader, `railhead init` and the reference
//! page are made from this table.

use std::fmt::Write as _;

use railhead_doctor::Layer;

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its table; `routes.NAME` is one for each route.
    pub table: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// A value as it may stand in the file.
    pub example: &'static str,
    /// What it is for.
    pub doc: &'static str,
}

const fn key(
    table: &'static str,
    name: &'static str,
    takes: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { table, name, takes, example, doc }
}

/// The table of one route; its last part is whatever the route is called.
pub const ROUTE: &str = "routes.NAME";

const TEXT: &str = "text of one line";
const PATH: &str = "path, relative to this file";
const LIST: &str = "list of texts";
const NUMBER: &str = "whole number";
const FLAG: &str = "`true` or `false`";

/// Every key, in the order of the file. Keys of one table stand together.
pub const KEYS: &[Key] = &[
    key("site", "name", TEXT, "\"Our forge\"", "What the site is called."),
    key(
        "site",
        "host",
        "host, with its port if it is not the usual one",
        "\"git.example.com\"",
        "The registry as images name it: no scheme, no path.",
    ),
    key(
        "site",
        "forge",
        "`gitea`, `forgejo`, `railhead`, `distribution` or `none`",
        "\"gitea\"",
        "What answers there; `none` is something else.",
    ),
    key(
        "site",
        "visibility",
        "`public` or `private`",
        "\"public\"",
        "Whether everybody is meant to be able to pull. `prove` compares it with what is so.",
    ),
    key("site", "owner", TEXT, "\"team\"", "The user or organisation that images are published under."),
    key(
        "site",
        "naming",
        TEXT,
        "\"git.example.com/team/IMAGE:TAG\"",
        "How images are named, for the handoff page. Without it: host, owner, IMAGE:TAG.",
    ),
    key(
        "site",
        "evidence",
        PATH,
        "\"railhead-evidence\"",
        "The directory for what doctor, prove and the other commands find out. Without it: railhead-evidence.",
    ),
    key(
        "site",
        "provenance",
        LIST,
        "[\"https://git.example.com/team/app\"]",
        "Links to where the images come from, for the handoff page.",
    ),
    key(
        "site",
        "limits",
        LIST,
        "[\"One volume of 10 GiB holds packages and Git.\"]",
        "What is known not to work, for the handoff page.",
    ),
    key(
        ROUTE,
        "url",
        "`https://HOST[:PORT]` or `http://HOST[:PORT]`",
        "\"https://git.example.com\"",
        "Where clients believe the registry to be. The first route is the one that is pushed to.",
    ),
    key(
        ROUTE,
        "connect",
        "`ADDRESS:PORT`, or `cluster:service/NAMESPACE/NAME:PORT`, `cluster:pod/NAMESPACE/NAME:PORT`, `cluster:node/NAME:PORT`",
        "\"10.0.0.7:3000\"",
        "Where to connect instead, so that the name need not resolve: a pod, a node's port, a tunnel. With `cluster:` the API server of the kubeconfig asks, which `doctor` alone can use.",
    ),
    key(ROUTE, "ca", PATH, "\"ca.pem\"", "A file with authorities to trust on this route, in PEM."),
    key(
        "owners",
        "application",
        TEXT,
        "\"apps-team\"",
        "Who mends the registry itself: configuration, release.",
    ),
    key(
        "owners",
        "routing",
        TEXT,
        "\"cluster-team\"",
        "Who mends what is in front: ingress, proxies, paths, limits.",
    ),
    key("owners", "tls", TEXT, "\"cluster-team\"", "Who mends certificates."),
    key("owners", "identity", TEXT, "\"apps-team\"", "Who mends accounts, tokens and rights."),
    key("owners", "storage", TEXT, "\"platform-team\"", "Who mends space and backups."),
    key("owners", "database", TEXT, "\"platform-team\"", "Who mends the database."),
    key("owners", "network", TEXT, "\"infra-team\"", "Who mends names, addresses and ports."),
    key(
        "owners",
        "client",
        TEXT,
        "\"each team\"",
        "Who mends the workstation, node or pipeline that pushes or pulls.",
    ),
    key("cluster", "context", TEXT, "\"default\"", "The context of the kubeconfig that reaches the cluster."),
    key(
        "cluster",
        "namespace",
        TEXT,
        "\"team\"",
        "The namespace that pull secrets are made for, and that nodes pull in.",
    ),
    key(
        "cluster",
        "nodes",
        LIST,
        "[\"node1\", \"node7\"]",
        "The nodes that pull in a proof. Without it: all that are ready.",
    ),
    key(
        "cluster",
        "pull_secret",
        TEXT,
        "\"registry-pull\"",
        "What the pull secret is called. Without it: registry-pull.",
    ),
    key(
        "cluster",
        "pull_secret_file",
        PATH,
        "\"deploy/registry-pull.yaml\"",
        "The file that keeps the pull secret. `pull-secret rotate` and `verify` take it when none is named.",
    ),
    key(
        "cluster",
        "sops",
        FLAG,
        "true",
        "Whether files with secrets are encrypted by sops. Its rules are in .sops.yaml, as ever.",
    ),
    key(
        "cluster",
        "sops_config",
        PATH,
        "\".sops.yaml\"",
        "The rules of sops, when they are not in .sops.yaml beside or above the file.",
    ),
    key("release", "name", TEXT, "\"gitea\"", "What the release is called. Without it: gitea or forgejo."),
    key("release", "namespace", TEXT, "\"default\"", "The namespace that it is in."),
    key(
        "release",
        "chart",
        "what `helm` takes: `oci://…`, REPOSITORY/CHART, or a path relative to this file",
        "\"oci://docker.gitea.com/charts/gitea\"",
        "The chart. A path begins with `.` or `/`, or ends with `.tgz`.",
    ),
    key("release", "version", TEXT, "\"12.5.0\"", "The version of the chart."),
    key(
        "release",
        "values",
        "list of paths, relative to this file",
        "[\"helm/gitea-values.sops.yaml\"]",
        "The values files in the order of `helm`, without the overlay. Those that sops encrypted are seen by themselves.",
    ),
    key(
        "release",
        "overlay",
        PATH,
        "\"helm/gitea-registry-values.yaml\"",
        "The values file that `enable` writes; `helm` gets it last.",
    ),
    key(
        "release",
        "limit_container",
        "`-1`, or a size as `10 GiB`",
        "\"-1\"",
        "How large a container image's layer may be (LIMIT_SIZE_CONTAINER), where no values file says it.",
    ),
    key(
        "release",
        "service",
        TEXT,
        "\"gitea-http\"",
        "The Service that `/v2` goes to. Without it: NAME-http.",
    ),
    key("release", "port", NUMBER, "3000", "Its port. Without it: 3000."),
    key(
        "release",
        "route",
        "`ingress`, `ingress-route` or `http-route`",
        "\"ingress\"",
        "The kind of object that brings `/v2` there.",
    ),
    key("release", "class", TEXT, "\"traefik\"", "The class of the Ingress. Without it: traefik."),
    key(
        "release",
        "issuer",
        "name of a ClusterIssuer, or `NAMESPACE/NAME` of an Issuer",
        "\"letsencrypt-prod\"",
        "Who makes the certificate (cert-manager).",
    ),
    key(
        "release",
        "tls_secret",
        TEXT,
        "\"gitea-tls\"",
        "The Secret with the certificate: one that is there, or the one that the issuer fills. Without it: NAME-tls.",
    ),
    key(
        "release",
        "gateway",
        "`NAME` or `NAMESPACE/NAME`",
        "\"kube-system/traefik\"",
        "The Gateway of an http-route.",
    ),
    key(
        "release",
        "manifest",
        PATH,
        "\"manifests/gitea-ingress.yaml\"",
        "The file that `enable` writes the route into.",
    ),
    key(
        "release",
        "makefile",
        PATH,
        "\"Makefile\"",
        "The file that `enable` writes targets into, where make is used. One that somebody else wrote stays.",
    ),
    key(
        "release",
        "git",
        "`https://HOST[:PORT]` or `http://HOST[:PORT]`",
        "\"https://git.example.com\"",
        "Where Git is cloned from, for the health of the forge before and after, and where its API is asked. Without it: https to the host; for packages, the first route.",
    ),
    key(
        "release",
        "backup_hours",
        NUMBER,
        "24",
        "How old the backup may be when `enable --apply` begins. Without it: 24.",
    ),
    key("retention", "keep_newest", NUMBER, "10", "Keep so many of the tags that were pushed last."),
    key("retention", "keep_days", NUMBER, "30", "Keep what was pushed or pulled within so many days."),
    key(
        "retention",
        "keep_patches",
        NUMBER,
        "2",
        "Keep the newest so many patch releases of each MAJOR.MINOR.",
    ),
    key("retention", "keep", LIST, "[\"main\", \"latest\"]", "Keep tags by pattern."),
    key(
        "retention",
        "expire",
        LIST,
        "[\"pr-*\"]",
        "Let tags go by pattern, `expire_days` after they were pushed.",
    ),
    key(
        "retention",
        "expire_annotations",
        LIST,
        "[\"dev.example.stage=test\"]",
        "Let images go by annotation, KEY or KEY=VALUE, `expire_days` after they were pushed.",
    ),
    key("retention", "expire_days", NUMBER, "7", "After how many days that is."),
    key(
        "retention",
        "untagged_days",
        NUMBER,
        "14",
        "Let images that no tag names go so many days after they were last pushed, pulled or named.",
    ),
    key(
        "retention",
        "prefer",
        "`keep` or `expire`",
        "\"expire\"",
        "Which counts, where `keep` or `keep_days` and `expire` speak of the same image.",
    ),
    key("retention", "may_empty", FLAG, "false", "Whether a repository may lose all that it has."),
    key(
        "retention",
        "trash_days",
        NUMBER,
        "14",
        "How many days what went can be brought back. Without it: 14.",
    ),
    key(
        "retention",
        "every_hours",
        NUMBER,
        "24",
        "How often the server applies the rules by itself; without it, or with 0, never.",
    ),
    key(
        "hub",
        "url",
        "`https://HOST[:PORT]/PATH` or `http://…`",
        "\"https://hub.example.com/events\"",
        "Where a message is posted for each task and each finding that new evidence changes.",
    ),
    key(
        "hub",
        "key_file",
        PATH,
        "\"hub.key\"",
        "A file with the key that messages are signed with, 24 to 64 bytes in base64; while it is changed, both keys, a line each.",
    ),
    key("hub", "ca", PATH, "\"ca.pem\"", "A file with authorities to trust for the hub, in PEM."),
];

/// Keys of `[retention]` that its tables for owners and repositories do not have.
pub const OF_ALL_RETENTION: [&str; 2] = ["trash_days", "every_hours"];

/// What a table is for.
pub const fn about(table: &str) -> &'static str {
    match table.as_bytes() {
        b"site" => "The registry.",
        b"owners" => {
            "Who has to act, by layer: a repository, a team, a person. Findings and the handoff page name them."
        }
        b"cluster" => "The cluster that pulls.",
        b"release" => "The forge's Helm release, which `enable` turns the registry on in.",
        b"retention" => {
            "Which images stay and which go; without rules nothing goes. [retention.owners.NAME] and [retention.repositories.\"NAME\"] say it for one owner, and for one repository or a pattern, and take the rest from here."
        }
        b"hub" => "Who is told what the evidence shows; without it, nobody.",
        _ => {
            "One table for each access path to the registry; NAME is what you call it. Without any, it is https to the host."
        }
    }
}

/// The names of a table's keys.
pub fn names(table: &str) -> Vec<&'static str> {
    KEYS.iter().filter(|key| key.table == table).map(|key| key.name).collect()
}

/// `docs/reference/site-file.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Site file\n\n<!-- Generated by `railhead reference`; do not edit. -->\n\n\
         What the operator's commands know of a site: `inspect`, `doctor`, `prove`, `handoff`, `pull-secret`, `report`. It stands in\n\
         `railhead.toml`, beside the [server's keys](configuration.md), in the current directory or where `--config` or\n\
         `RAILHEAD_CONFIG` says. `railhead init` writes a first one. Every key may be left out; flags count more.\n\n\
         An unknown key is an error that names the key meant. A secret in the file is refused, whatever its key is called:\n\
         tokens go into `RAILHEAD_TOKEN` when a command needs one.\n",
    );
    let mut table = "";
    for key in KEYS {
        if key.table != table {
            table = key.table;
            // Writing to a string cannot fail.
            let _ = write!(page, "\n## `[{table}]`\n\n{}\n\n", about(table));
            page.push_str("| key | takes | what it is for | example |\n| --- | --- | --- | --- |\n");
        }
        let Key { name, takes, doc, example, .. } = key;
        let _ = writeln!(page, "| `{name}` | {takes} | {doc} | `{example}` |");
    }
    page
}

/// The words of the layers are the keys of `[owners]`.
pub fn layer(name: &str) -> Option<Layer> {
    Layer::ALL.into_iter().find(|layer| layer.word() == name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::site::{Forge, Site, TABLES, Visibility};

    #[test]
    fn the_table_is_what_the_reader_takes() {
        let mut text = String::new();
        let mut table = "";
        for key in KEYS {
            if key.table != table {
                table = key.table;
                let _ = writeln!(text, "[{}]", table.replace("NAME", "public"));
            }
            let _ = writeln!(text, "{} = {}", key.name, key.example);
        }
        let site = Site::parse(Path::new("railhead.toml"), &text).unwrap();
        assert_eq!(site.owners.iter().count(), Layer::ALL.len());
        assert_eq!(site.cluster.pull_secret_file.as_deref(), Some(Path::new("deploy/registry-pull.yaml")));
        for table in TABLES {
            assert!(KEYS.iter().any(|key| key.table.split('.').next() == Some(table)), "{table}");
        }
        let words = |name: &str| {
            let key = KEYS.iter().find(|key| key.name == name).unwrap();
            key.takes.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words("forge"), Forge::ALL.map(Forge::word));
        assert_eq!(words("visibility"), Visibility::ALL.map(Visibility::word));
        assert_eq!(names("owners"), Layer::ALL.map(Layer::word));
    }
}
