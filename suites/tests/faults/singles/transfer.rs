//! Reading a list and writing a few bytes.

use railhead_suites::Distribution;
use railhead_suites::proxies::Nginx;

use super::single;
use crate::bench::Bench;
use crate::case::{Case, error, info};

const JSON: &str = "Content-Type: application/json";
const UPLOADS: &str = "/v2/*/blobs/uploads/";

pub fn cases() -> Vec<Case> {
    vec![
        single("lists fail", "Railhead, breaker", error("RH-READ-ERROR", "application"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"internal error"}]}"#;
            bench.broken(move |script| {
                script.answer("GET", "/v2/*/tags/list", "500 Internal Server Error", &[JSON], body)
            })
        }),
        single(
            "an upload's location is inside",
            "Railhead, breaker",
            error("RH-WRITE-LOCATION", "application"),
            |bench| {
                bench.broken(|script| {
                    script.edit("POST", UPLOADS, |answer| {
                        let inside =
                            format!("http://gitea-http:3000{}", answer.get("location").unwrap_or_default());
                        answer.set("Location", &inside);
                    })
                })
            },
        ),
        single(
            "an upload has no location",
            "Railhead, breaker",
            error("RH-WRITE-LOCATION", "application"),
            |bench| bench.broken(|script| script.edit("POST", UPLOADS, |answer| answer.remove("Location"))),
        ),
        single(
            "the registry is read-only",
            "distribution, nginx",
            error("RH-WRITE-READ-ONLY", "application"),
            |bench| {
                let account = Bench::distribution_account();
                let login = Some((account.user.as_str(), account.secret.as_str()));
                let more = "  maintenance:\n    readonly:\n      enabled: true\n";
                let read_only = Distribution::start(&bench.directory(), login, None, more);
                bench.behind_nginx(&account, &Nginx::location("/", read_only.address(), "")).keep(read_only)
            },
        ),
        single(
            "a piece is answered by 204",
            "Railhead, breaker",
            error("RH-WRITE-PATCH", "application"),
            |bench| {
                bench.broken(|script| {
                    script
                        .edit("PATCH", "*", |answer| "HTTP/1.1 204 No Content".clone_into(&mut answer.first))
                })
            },
        ),
        single("the disk is full", "breaker", error("RH-STORAGE-FULL", "storage"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"no space left on device"}]}"#;
            bench.broken(move |script| script.answer("PATCH", "*", "507 Insufficient Storage", &[JSON], body))
        }),
        single(
            "the disk is full, as Gitea says it",
            "breaker",
            error("RH-STORAGE-FULL", "storage"),
            |bench| {
                let body = r#"{"errors":[{"code":"UNKNOWN","message":"write /data/tmp/package-upload/x: no space left on device"}]}"#;
                bench.broken(move |script| {
                    script.answer("PATCH", "*", "500 Internal Server Error", &[JSON], body)
                })
            },
        ),
        single("uploads fail", "Railhead, breaker", error("RH-STORAGE-ERROR", "storage"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"internal error"}]}"#;
            bench.broken(move |script| {
                script.answer("POST", UPLOADS, "500 Internal Server Error", &[JSON], body)
            })
        }),
        single(
            "an upload cannot be cancelled",
            "Railhead, breaker",
            info("RH-WRITE-CANCEL", "application"),
            |bench| {
                let body = r#"{"errors":[{"code":"UNSUPPORTED","message":"not supported"}]}"#;
                bench.broken(move |script| {
                    script.answer("DELETE", "*", "405 Method Not Allowed", &[JSON], body)
                })
            },
        ),
    ]
}
