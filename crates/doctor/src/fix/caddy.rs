//! Caddy: lines of a Caddyfile.

use super::{Ground, Need, paths};

pub(super) fn blocks(ground: &Ground<'_>, need: Need) -> Vec<String> {
    let text = match need {
        Need::Route | Need::Backend | Need::Open | Need::Methods => handle(ground),
        Need::Certificate => format!(
            "# Caddy gets a certificate by itself for a site with a name that resolves to it; or\n{host} {{\n\ttls /etc/caddy/{host}-chain.crt /etc/caddy/{host}.key\n}}",
            host = ground.host(),
        ),
        Need::Headers => format!(
            "# Caddy passes Host on and sets X-Forwarded-Proto itself: no header_up may change them\nreverse_proxy {}\n# with another proxy before it that ends TLS, in the global options\n{{\n\tservers {{\n\t\ttrusted_proxies static <address-of-the-outer-proxy>\n\t}}\n}}",
            ground.upstream(),
        ),
        Need::Size => "# Caddy: no request_body with max_size for /v2/*; it has no limit by itself".to_owned(),
        Need::Patience => {
            "# Caddy: in the global options; there are no time-outs by default\n{\n\tservers {\n\t\ttimeouts {\n\t\t\tread_body 15m\n\t\t\twrite 15m\n\t\t}\n\t}\n}"
                .to_owned()
        }
        Need::Stream => "# Caddy: no request_buffers in reverse_proxy; it passes requests on by itself".to_owned(),
        Need::Untouched => {
            "# Caddy: encode for everything but the registry\n@pages not path /v2/* /token\nencode @pages gzip zstd".to_owned()
        }
        Need::Protocol => format!(
            "# Caddy: no client_auth, no old protocols\n{} {{\n\ttls {{\n\t\tprotocols tls1.2 tls1.3\n\t}}\n}}",
            ground.host(),
        ),
    };
    vec![text]
}

fn handle(ground: &Ground<'_>) -> String {
    let paths: Vec<String> = paths(ground.software).iter().map(|path| format!("{path} {path}/*")).collect();
    format!(
        "# Caddy: in the site of the host, before other handles; handle, not handle_path, which strips the prefix\n{host} {{\n\t@registry path {paths}\n\thandle @registry {{\n\t\treverse_proxy {upstream}\n\t}}\n}}",
        host = ground.host(),
        paths = paths.join(" "),
        upstream = ground.upstream(),
    )
}
