//! `HAProxy`: lines of `haproxy.cfg`.

use super::{Ground, Need, paths};

pub(super) fn blocks(ground: &Ground<'_>, need: Need) -> Vec<String> {
    let text = match need {
        Need::Route | Need::Backend => route(ground),
        Need::Certificate => format!(
            "# HAProxy: one file with certificate, chain and key\n# cat {host}-chain.crt {host}.key > /etc/haproxy/certs/{host}.pem\nfrontend https\n    bind :443 ssl crt /etc/haproxy/certs/",
            host = ground.host(),
        ),
        Need::Headers => "# HAProxy: in the frontend that ends TLS\nhttp-request set-header X-Forwarded-Proto https if { ssl_fc }\nhttp-request set-header X-Forwarded-Proto http if !{ ssl_fc }\noption forwardfor\n# and no http-request set-header Host"
            .to_owned(),
        Need::Open => "# HAProxy: before the rules of the frontend that deny, tarpit or ask for a login\nacl registry path_beg /v2 /token\nhttp-request allow if registry"
            .to_owned(),
        Need::Methods => "# HAProxy: before rules on the method\nacl registry path_beg /v2\nhttp-request allow if registry { method GET HEAD POST PUT PATCH DELETE }"
            .to_owned(),
        Need::Size => "# HAProxy has no limit for bodies: look for a rule on req.body_size or hdr(content-length) and exempt /v2\nacl registry path_beg /v2"
            .to_owned(),
        Need::Patience => "# HAProxy: in defaults, or in frontend and backend\ntimeout client 15m\ntimeout server 15m\ntimeout http-request 10s        # is for the head alone, unless there is `option http-buffer-request`"
            .to_owned(),
        Need::Stream => "# HAProxy: not in the frontend or backend of the registry\nno option http-buffer-request".to_owned(),
        Need::Untouched => "# HAProxy: not in the frontend or backend of the registry\n# compression algo …\n# http-request cache-use …".to_owned(),
        Need::Protocol => "# HAProxy: in the bind line; without `verify required`\nbind :443 ssl crt /etc/haproxy/certs/ ssl-min-ver TLSv1.2".to_owned(),
    };
    vec![text]
}

fn route(ground: &Ground<'_>) -> String {
    format!(
        "# HAProxy: a backend for the registry, and the rule that leads there, before other rules\nfrontend https\n    acl host_registry hdr(host) -i {host}\n    acl path_registry path_beg {paths}\n    use_backend registry if host_registry path_registry\n\nbackend registry\n    mode http\n    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}\n    timeout server 15m\n    server registry {upstream} check",
        host = ground.authority(),
        paths = paths(ground.software).join(" "),
        upstream = ground.upstream(),
    )
}
