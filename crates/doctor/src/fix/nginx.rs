//! nginx, and ingress-nginx by its annotations.

use std::fmt::Write as _;

use super::{Ground, Need, paths};

pub(super) fn blocks(ground: &Ground<'_>, need: Need) -> Vec<String> {
    let annotation = |lines: &str| {
        format!("# ingress-nginx: annotations of the Ingress\nmetadata:\n  annotations:\n{lines}")
    };
    match need {
        Need::Route | Need::Backend => vec![location(ground)],
        Need::Certificate => vec![format!(
            "# nginx: the server of {host}\nserver_name {host};\nlisten 443 ssl;\nssl_certificate     /etc/nginx/tls/{host}-chain.crt;   # the chain, the server's first\nssl_certificate_key /etc/nginx/tls/{host}.key;",
            host = ground.host(),
        )],
        Need::Headers => vec![
            "# nginx: in the location of the registry\nproxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;\nproxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
                .to_owned(),
        ],
        Need::Open => vec![format!(
            "# nginx: the registry has its own login; one more location without another\nlocation /v2/ {{\n    auth_basic off;\n    auth_request off;\n    satisfy any;\n    allow all;                       # no list of addresses, no limit_req\n{}}}",
            lines(ground),
        )],
        Need::Methods => vec![format!(
            "# nginx: no limit_except and no rule on $request_method here\nlocation /v2/ {{\n{}}}",
            lines(ground),
        )],
        Need::Size => vec![
            "# nginx: in the server, or in the location of /v2/ (1 MiB by default)\nclient_max_body_size 0;".to_owned(),
            annotation("    nginx.ingress.kubernetes.io/proxy-body-size: \"0\""),
        ],
        Need::Patience => vec![
            "# nginx: in the location of /v2/ (60 s by default, each)\nclient_body_timeout 900s;\nproxy_read_timeout 900s;\nproxy_send_timeout 900s;"
                .to_owned(),
            annotation(
                "    nginx.ingress.kubernetes.io/proxy-read-timeout: \"900\"\n    nginx.ingress.kubernetes.io/proxy-send-timeout: \"900\"\n# and in its ConfigMap\n#   client-body-timeout: \"900\"",
            ),
        ],
        Need::Stream => vec![
            "# nginx: in the location of /v2/\nproxy_http_version 1.1;\nproxy_request_buffering off;".to_owned(),
            annotation("    nginx.ingress.kubernetes.io/proxy-request-buffering: \"off\""),
        ],
        Need::Untouched => {
            vec!["# nginx: in the location of /v2/\ngzip off;\ngunzip off;\nproxy_cache off;".to_owned()]
        }
        Need::Protocol => vec![
            "# nginx: in the server\nssl_protocols TLSv1.2 TLSv1.3;\nssl_ciphers HIGH:!aNULL:!MD5;\nssl_verify_client off;".to_owned(),
        ],
    }
}

fn location(ground: &Ground<'_>) -> String {
    let mut text = format!("# nginx: in the server of {}, before `location /`\n", ground.host());
    for path in paths(ground.software) {
        let slash = if *path == "/v2" { "/" } else { "" };
        let _ = write!(text, "location {path}{slash} {{\n{}}}\n", lines(ground));
    }
    text
}

fn lines(ground: &Ground<'_>) -> String {
    format!(
        "    proxy_pass http://{};     # no path behind it, or the path is changed\n    proxy_http_version 1.1;\n    proxy_set_header Host $http_host;\n    proxy_set_header X-Forwarded-Proto $scheme;\n    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    client_max_body_size 0;\n    proxy_request_buffering off;\n    proxy_read_timeout 900s;\n",
        ground.upstream(),
    )
}
