//! The blocks of the guide, with the addresses of the test in them.

use std::net::SocketAddr;
use std::path::Path;

/// The first block of the guide in this language.
fn block(language: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/same-host.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

fn with(block: &str, forge: SocketAddr, railhead: SocketAddr) -> String {
    let changes = [
        ("127.0.0.1:3000", forge.to_string()),
        ("127.0.0.1:5050", railhead.to_string()),
        ("git.example.com", "forge.test".to_owned()),
    ];
    for (from, _) in &changes[..2] {
        assert_eq!(block.matches(from).count(), 1, "{from} in {block}");
    }
    changes.iter().fold(block.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The lines of nginx's server; where it listens and its certificate are the test's.
pub fn nginx(forge: SocketAddr, railhead: SocketAddr) -> String {
    let block = block("nginx");
    let inner = &block[block.find('{').unwrap() + 1..block.rfind('}').unwrap()];
    let own = ["listen ", "server_name ", "ssl_certificate"];
    let lines = inner.lines().filter(|line| !own.iter().any(|word| line.trim_start().starts_with(word)));
    with(&lines.collect::<Vec<_>>().join("\n"), forge, railhead)
}

/// What Traefik reads from its file.
pub fn traefik(forge: SocketAddr, railhead: SocketAddr) -> String {
    with(&block("yaml"), forge, railhead)
}
