//! One hostname: `/v2` is Railhead's and everything else a real Gitea's, behind a real nginx and a real Traefik, configured as the
//! guide says. What the forge did before it does afterwards, byte for byte where that can be said.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod guide;
mod person;

use std::path::Path;

use railhead_suites::certificates::{Authority, Certificate, Identity};
use railhead_suites::forge::{FORGE_USER, Options};
use railhead_suites::proxies::{Dynamic, Nginx, Proxy, Traefik};
use railhead_suites::{Forge, Operator, Railhead, doctor, loopback, railhead};

use person::Person;

/// The one name, as everybody writes it. No resolver knows it.
const HOST: &str = "forge.test:8443";

/// What stands behind the proxies.
struct Site {
    scratch: tempfile::TempDir,
    authority: Authority,
    identity: Identity,
    forge: Forge,
    railhead: Railhead,
}

impl Site {
    fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let authority = Authority::make(&scratch.path().join("authority"), "Authority of one host");
        let identity = authority.certify(&Certificate::of("forge.test"));
        let home = |name: &str| {
            let home = scratch.path().join(name);
            std::fs::create_dir(&home).unwrap();
            home
        };
        let root_url = format!("https://{HOST}/");
        let forge = Forge::start(&home("forge"), &Options { root_url: &root_url, ..Options::default() });
        let arguments = vec!["--host".to_owned(), HOST.to_owned()];
        // It prints the name, so the address has to be known.
        let listen = Some(format!("{}:5050", loopback::address()));
        let options = railhead::Options { listen, arguments, ..railhead::Options::default() };
        let railhead = Railhead::start(&home("railhead"), options);
        railhead.user(FORGE_USER, "a long enough password");
        Self { scratch, authority, identity, forge, railhead }
    }

    fn home(&self, name: &str) -> std::path::PathBuf {
        let home = self.scratch.path().join(name);
        std::fs::create_dir(&home).unwrap();
        home
    }

    /// The forge alone, as it was before there was a Railhead.
    fn alone(&self) -> Proxy {
        let location = Nginx::location("/", self.forge.address(), "");
        let nginx = Nginx { tls: location, plain: "return 404;".to_owned(), identity: &self.identity };
        nginx.start(&self.home("alone"))
    }

    fn nginx(&self) -> Proxy {
        let tls = guide::nginx(self.forge.address(), self.railhead.address());
        let nginx = Nginx { tls, plain: "return 404;".to_owned(), identity: &self.identity };
        nginx.start(&self.home("nginx"))
    }

    fn traefik(&self) -> Proxy {
        let dynamic = Dynamic { identity: Some(&self.identity), ..Dynamic::default() };
        let yaml = guide::traefik(self.forge.address(), self.railhead.address());
        Traefik { flags: &[], dynamic }.start_with(&self.home("traefik"), &yaml)
    }

    fn person(&self, proxy: &Proxy, home: &str) -> Person {
        Person::new(HOST, proxy.https(), &self.authority.file(), &self.home(home))
    }
}

#[test]
fn a_forge_goes_on_as_before_when_railhead_gets_v2() {
    let site = Site::start();
    person::prepare(&site.forge);
    let alone = site.alone();
    let before = site.person(&alone, "person before");
    let facts = before.uses_the_forge();
    assert!(before.asks("/v2/").contains("container_registry"), "before, the registry is the forge's");
    drop(alone);
    let (nginx, traefik) = (site.nginx(), site.traefik());
    for (name, proxy) in [("nginx", &nginx), ("traefik", &traefik)] {
        let person = site.person(proxy, &format!("person behind {name}"));
        assert_eq!(person.uses_the_forge(), facts, "behind {name}");
        let challenge = person.asks("/v2/");
        assert!(
            challenge.contains(&format!("realm=\"https://{HOST}/v2/token\",service=\"railhead\"")),
            "{challenge}"
        );
    }
    let token = site.railhead.token(FORGE_USER, &["pull", "push", "delete"]);
    let ca = site.authority.file();
    let way = |name: &str, proxy: &Proxy| way(name, proxy, &ca);
    // As from another pod: past the proxies, in the clear.
    let pod = format!("pod=http://{HOST},connect={}", site.railhead.address());
    let routes = [way("nginx", &nginx), way("traefik", &traefik), pod];
    let words = [HOST, "--user", FORGE_USER, "--repository", "alice/app"].map(str::to_owned);
    let words: Vec<String> =
        words.into_iter().chain(routes.iter().flat_map(|way| ["--route".to_owned(), way.clone()])).collect();
    let diagnosis = doctor(&[], &words, Some(&token));
    assert_eq!(
        (diagnosis.code, diagnosis.of("error").count(), diagnosis.of("warning").count()),
        (Some(0), 0, 0),
        "{diagnosis}"
    );
    let operator = Operator::at(&site.home("operator"), "").with("RAILHEAD_TOKEN", &token);
    let target = format!("{HOST}/{FORGE_USER}/app");
    let words = ["prove", &target, "--user", FORGE_USER, "--private"].map(str::to_owned);
    let words = words.into_iter().chain(routes.iter().flat_map(|way| ["--route".to_owned(), way.clone()]));
    let proof = operator.run(words).ok();
    assert!(proof.stdout.contains("proven"), "{proof}");
}

fn way(name: &str, proxy: &Proxy, ca: &Path) -> String {
    format!("{name}=https://{HOST},connect={},ca={}", proxy.https(), ca.display())
}
