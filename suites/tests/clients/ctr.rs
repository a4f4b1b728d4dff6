//! containerd, with root, state and socket of its own, driven by ctr. `ctr` has no login: each command gets the credentials.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::{Image, Layout, Program, Registry, Server, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

pub struct Ctr {
    // The engine ends before its directories go.
    _engine: Server,
    pub program: Program,
    home: Home,
    credentials: RefCell<Option<String>>,
}

impl Ctr {
    pub fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let address = home.path("containerd.sock");
        let config = home.path("containerd.toml");
        let [root, state] = ["root", "state"].map(|name| home.path(name));
        let text = format!(
            "version = 2\nroot = '{root}'\nstate = '{state}'\ndisabled_plugins = ['io.containerd.grpc.v1.cri', \
             'io.containerd.internal.v1.opt']\n[grpc]\naddress = '{address}'\n"
        );
        fs::write(&config, text).unwrap();
        trust(&home, registry);
        let mut engine =
            Server::start("containerd", home.program("containerd").command(["--config", &config]));
        let ctr = home.program("ctr").with("CONTAINERD_ADDRESS", &address);
        engine.wait_for("an answering containerd", |_| ctr.run(["version"]).success.then_some(()));
        Self { _engine: engine, program: ctr, home, credentials: RefCell::new(None) }
    }

    fn registry(&self, verb: &str, more: &[&str], name: &str) -> Outcome {
        let hosts = self.home.path("hosts");
        let credentials = self.credentials.borrow();
        let user: Vec<&str> = credentials.iter().flat_map(|credentials| ["--user", credentials]).collect();
        let line = [&["images", verb, "--hosts-dir", &hosts][..], &user, more, &[name]].concat();
        self.program.run(line)
    }
}

fn trust(home: &Home, registry: &Registry) {
    let host = registry.host();
    let directory = home.directory().join("hosts").join(host);
    fs::create_dir_all(&directory).unwrap();
    let ca = registry.ca().ca_file();
    let text = format!(
        "server = \"https://{host}\"\n[host.\"https://{host}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\n\
         ca = \"{}\"\n",
        ca.display()
    );
    fs::write(directory.join("hosts.toml"), text).unwrap();
}

impl Client for Ctr {
    const NAME: &'static str = "ctr";
    const LOGIN_ASKS: bool = false;

    fn login(&self, user: &str, secret: &str) -> Outcome {
        self.credentials.replace(Some(format!("{user}:{secret}")));
        self.program.run(["version"])
    }

    fn logout(&self) {
        self.credentials.take();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let mut source = Layout::create(self.home.directory().join("source"));
        let manifest = source.image(image);
        source.tag(name, &manifest);
        let archive = self.home.path("image.tar");
        source.archive(archive.as_ref());
        self.program.run(["images", "import", "--no-unpack", "--index-name", name, &archive]).ok();
        self.registry("push", &[], name)
    }

    fn pull(&self, name: &str) -> Outcome {
        self.program.run(["images", "rm", "--sync", name]).ok();
        let left = self.program.run(["content", "ls", "--quiet"]).ok().stdout;
        assert_eq!(left, "", "containerd still has content");
        self.registry("pull", &["--snapshotter", "native"], name)
    }

    fn held(&self, name: &str) -> BTreeSet<String> {
        let archive = self.home.path("saved.tar");
        self.program.run(["images", "export", &archive, name]).ok();
        layout::contents_of_archive(archive.as_ref())
    }
}

#[test]
fn containerd_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Ctr::new(&registry));
}
