//! `railhead export`: the clients that nodes have import what was exported, with every name, platform and byte.

use std::collections::BTreeSet;

use railhead_suites::registry::{TEAM, WRITER};
use railhead_suites::{Image, Layout, Random, Registry, layout};

use crate::ctr::Ctr;
use crate::docker::Docker;
use crate::podman::Podman;
use crate::scenario::Client as _;
use crate::skopeo::Skopeo;

/// The host in the names of the archive; nobody asks it.
const HOST: &str = "registry.example.com";

/// A registry with an image of two platforms and one of one platform, both exported.
struct Exported {
    registry: Registry,
    skopeo: Skopeo,
    archive: String,
    /// Digests of everything that the archive must hold.
    content: BTreeSet<String>,
    names: [String; 2],
}

impl Exported {
    /// `None` where the registry has no export.
    fn make() -> Option<Self> {
        let registry = Registry::start();
        let skopeo = Skopeo::new(&registry);
        skopeo.login(WRITER, registry.secret()).ok();
        let mut random = Random::new(41);
        let images =
            [("linux", "amd64"), ("linux", "arm64")].map(|on| Image::random_for(&mut random, on, 2, 50_000));
        let mut source = Layout::create(skopeo.home.directory().join("exported"));
        let index = source.buildkit_index(&images);
        source.tag("app", &index);
        let single = source.image(&Image::random(&mut random, 2, 50_000));
        source.tag("db", &single);
        for (tag, image) in [("app", "app:1"), ("db", "db:5")] {
            let from = format!("oci:{}:{tag}", source.directory().display());
            let to = format!("docker://{}", registry.name(image));
            skopeo.copy(&["--all", "--preserve-digests"], &from, &to).ok();
        }
        let archive = skopeo.home.path("images.tar");
        let [app, db] = [format!("{TEAM}/app:1"), format!("{TEAM}/db:5")];
        registry.cli(&["export", &app, &db, "--host", HOST, "--out", &archive])?.ok();
        let content = layout::contents(&source.directory().join("blobs"));
        Some(Self {
            registry,
            skopeo,
            archive,
            content,
            names: [app, db].map(|name| format!("{HOST}/{name}")),
        })
    }
}

#[test]
fn an_export_has_every_byte_and_skopeo_copies_each_image_out_of_it() {
    let Some(exported) = Exported::make() else { return };
    let held = layout::contents_of_archive(exported.archive.as_ref());
    assert!(held.is_superset(&exported.content), "missing: {:?}", exported.content.difference(&held));
    let skopeo = &exported.skopeo;
    for name in &exported.names {
        let from = format!("oci-archive:{}:{name}", exported.archive);
        let back = format!("oci:{}:latest", skopeo.home.path("back"));
        skopeo.program.run(["copy", "--all", "--preserve-digests", &from, &back]).ok();
    }
    assert_eq!(layout::contents(&skopeo.home.directory().join("back/blobs")), exported.content);
}

#[test]
fn containerd_imports_an_export_with_every_platform() {
    let Some(exported) = Exported::make() else { return };
    let ctr = Ctr::new(&exported.registry);
    ctr.program.run(["images", "import", "--all-platforms", "--no-unpack", &exported.archive]).ok();
    let listed = ctr.program.run(["images", "ls", "--quiet"]).ok().stdout;
    for name in &exported.names {
        assert!(listed.lines().any(|line| line == name), "{listed}");
    }
    let held: BTreeSet<String> =
        ctr.program.run(["content", "ls", "--quiet"]).ok().stdout.lines().map(str::to_owned).collect();
    assert!(held.is_superset(&exported.content), "missing: {:?}", exported.content.difference(&held));
}

#[test]
fn docker_and_podman_load_an_export() {
    let Some(exported) = Exported::make() else { return };
    let docker = Docker::new(&exported.registry);
    docker.program.run(["load", "--input", &exported.archive]).ok();
    let podman = Podman::new(&exported.registry);
    podman.run(&["load", "--input", &exported.archive]).ok();
    for name in &exported.names {
        let words = ["image", "inspect", "--format", "{{.Architecture}}", name];
        assert_eq!(docker.program.run(words).ok().stdout.trim(), "amd64", "docker: {name}");
        assert_eq!(podman.run(&words).ok().stdout.trim(), "amd64", "podman: {name}");
    }
}

#[test]
fn an_export_of_one_image_is_found_by_its_tag_and_goes_through_a_pipe() {
    let Some(exported) = Exported::make() else { return };
    let app = format!("{TEAM}/app:1");
    let archive = exported.skopeo.home.path("one.tar");
    let words = ["export", &app, "--host", HOST, "--platform", "linux/arm64", "--out", &archive];
    exported.registry.cli(&words).unwrap().ok();
    let from = format!("oci-archive:{archive}");
    let inspected =
        exported.skopeo.program.run(["inspect", "--config", "--override-arch", "arm64", &from]).ok();
    assert!(inspected.stdout.contains("\"arm64\""), "{inspected}");
    let missing = format!("{TEAM}/nothing:1");
    exported.registry.cli(&["export", &missing, "--out", &archive]).unwrap().refused(&["there is no image"]);
    exported
        .registry
        .cli(&["export", &app, "--platform", "plan9/mips", "--out", &archive])
        .unwrap()
        .refused(&["plan9/mips"]);
}
