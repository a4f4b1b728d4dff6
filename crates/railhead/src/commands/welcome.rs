//! What `serve` says when it starts: where it is, and on a new registry how to get from here to a pushed image.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use railhead_access::Bootstrap;
use railhead_server::Certificates;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::config::Config;
use crate::failure::Result;
use crate::printer::Printer;

/// What to say.
#[derive(Serialize)]
pub struct Welcome {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_token_hours: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<String>,
    #[serde(skip)]
    warnings: Vec<String>,
    #[serde(skip)]
    notes: Vec<String>,
}

impl Welcome {
    /// What to say about this server.
    pub fn new(
        config: &Config,
        address: SocketAddr,
        certificates: Option<&Certificates>,
        bootstrap: Option<&Bootstrap>,
    ) -> Self {
        let host = public_host(config, address);
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let mut welcome = Self {
            url: format!("{scheme}://{host}"),
            admin_token: bootstrap.map(|first| first.secret.expose_secret().to_owned()),
            admin_token_hours: bootstrap.map(|first| first.life.as_secs() / 3600),
            next: bootstrap.map(|first| next(&host, &first.account)).unwrap_or_default(),
            warnings: Vec::new(),
            notes: Vec::new(),
        };
        welcome.remark(config, address, certificates, &host, bootstrap.is_some());
        welcome
    }

    fn remark(
        &mut self,
        config: &Config,
        address: SocketAddr,
        certificates: Option<&Certificates>,
        host: &str,
        new: bool,
    ) {
        if certificates.is_none() && !address.ip().is_loopback() {
            self.warnings.push(format!(
                "{address} can be reached from other machines, and without TLS everybody on the way can read \
                 passwords and tokens; give --tls-cert and --tls-key, or --tls-self-signed, or listen on loopback \
                 behind a proxy with TLS"
            ));
            if config.hosts.is_empty() {
                self.notes.push(format!(
                    "Docker refuses plain HTTP beyond loopback; on every client that has no proxy with TLS in front, \
                     add \"insecure-registries\": [\"{host}\"] to /etc/docker/daemon.json"
                ));
            }
        }
        if let Some(certificates) = certificates.filter(|_| config.self_signed && new) {
            self.notes.push(format!(
                "clients have to trust the certificate: for Docker, copy {} to /etc/docker/certs.d/{host}/ca.crt",
                certificates.certificate_file().display()
            ));
        }
    }

    /// Says it: data on standard output, the rest on standard error.
    pub fn say(&self, printer: Printer) -> Result<()> {
        printer.data(self, || self.text())?;
        for warning in &self.warnings {
            printer.warning(warning);
        }
        for note in &self.notes {
            printer.note(note);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!("Railhead listens on {}\n", self.url);
        if let (Some(token), Some(hours)) = (&self.admin_token, self.admin_token_hours) {
            let commands: Vec<_> = self.next.iter().map(|command| format!("  {command}")).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "\nThis registry is new. The token of its administrator, shown this once and good for {hours} hours:\n\n\
                 \u{20} {token}\n\nNext, with that token as the password:\n\n{}",
                commands.join("\n")
            );
        }
        text
    }
}

/// From here to a pushed image, without anything from elsewhere: the image is one empty directory.
fn next(host: &str, account: &str) -> Vec<String> {
    let image = format!("{host}/{account}/hello:v1");
    vec![
        format!("docker login {host} -u {account}"),
        format!("printf 'FROM scratch\\nWORKDIR /hello\\n' | docker build -t {image} -"),
        format!("docker push {image}"),
    ]
}

/// The name and port that clients should use.
fn public_host(config: &Config, address: SocketAddr) -> String {
    if let Some(host) = config.hosts.first() {
        return host.clone();
    }
    match address.ip() {
        ip if ip.is_unspecified() => format!("{}:{}", machine_name(), address.port()),
        _ => address.to_string(),
    }
}

/// What other machines most likely call this one.
fn machine_name() -> String {
    match rustix::system::uname().nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_ascii_lowercase(),
        _ => "localhost".to_owned(),
    }
}

/// The names that a certificate made here has to be good for.
pub fn certificate_names(config: &Config, address: SocketAddr) -> Vec<String> {
    let mut names: Vec<String> = config.hosts.iter().map(|host| without_port(host).to_owned()).collect();
    names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]);
    match address.ip() {
        ip if ip.is_unspecified() => names.push(machine_name()),
        ip => names.push(ip.to_string()),
    }
    names.sort();
    names.dedup();
    names
}

fn without_port(host: &str) -> &str {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or(bracketed);
    }
    match host.rsplit_once(':') {
        // An IPv6 address without brackets has colons of its own.
        Some((name, _)) if host.parse::<IpAddr>().is_err() => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Values};

    fn config() -> Config {
        Config::of(&Values::read(&Layers::default()).unwrap()).unwrap()
    }

    #[test]
    fn plain_http_beyond_loopback_is_warned_of() {
        let welcome = |address: &str| Welcome::new(&config(), address.parse().unwrap(), None, None);
        let open = welcome("10.0.0.1:5050");
        assert_eq!(open.url, "http://10.0.0.1:5050");
        assert!(
            open.warnings[0].contains("--tls-self-signed") && open.notes[0].contains("insecure-registries")
        );
        let local = welcome("[::1]:5050");
        assert!(local.warnings.is_empty() && local.notes.is_empty());
        assert_eq!(local.text(), "Railhead listens on http://[::1]:5050\n");
    }

    #[test]
    fn ports_are_cut_off_names_and_addresses() {
        for (host, name) in [
            ("git.example.com", "git.example.com"),
            ("git.example.com:8443", "git.example.com"),
            ("[::1]:5050", "::1"),
            ("fe80::1", "fe80::1"),
            ("10.0.0.1:80", "10.0.0.1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
