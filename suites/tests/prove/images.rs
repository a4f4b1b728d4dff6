//! The image that a proof makes runs, and a team's own comes out of archives, layouts, docker and podman as it is.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use railhead_suites::http::Http;
use railhead_suites::program::Outcome;
use railhead_suites::{Image, Layout, Program, Random, layout};
use serde_json::Value;

use crate::programs::Engine;
use crate::sites::{OWNER, Product};

/// What is at a path of the registry.
fn get(product: &Product, path: &str) -> Vec<u8> {
    let scope = [format!("repository:{OWNER}/proof:pull")];
    let http = Http::login(product.railhead.address(), OWNER, &product.site.token, &scope).unwrap();
    let answer = http.send("GET", &format!("/v2/{OWNER}/proof/{path}"), &[("Accept", "*/*")], b"").unwrap();
    assert_eq!(answer.status, 200, "{path}");
    answer.body
}

fn json(product: &Product, path: &str) -> Value {
    serde_json::from_slice(&get(product, path)).unwrap()
}

#[test]
fn the_image_that_is_pushed_runs() {
    let product = Product::start();
    let said = product.site.prove("proof:v1", &["--keep", "--private"]).ok();
    let id = said.result["source"]["id"].as_str().unwrap();
    let index = json(&product, "manifests/v1");
    let machines = [("amd64", 62), ("arm64", 183)];
    for (entry, (architecture, number)) in index["manifests"].as_array().unwrap().iter().zip(machines) {
        assert_eq!(entry["platform"], serde_json::json!({ "os": "linux", "architecture": architecture }));
        let manifest = json(&product, &format!("manifests/{}", entry["digest"].as_str().unwrap()));
        let config = json(&product, &format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
        let root = product.site.path(architecture);
        fs::create_dir(&root).unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let archive = root.with_extension("tar");
            fs::write(&archive, get(&product, &format!("blobs/{}", layer["digest"].as_str().unwrap())))
                .unwrap();
            Program::find("tar")
                .run(["-xf".as_ref(), archive.as_os_str(), "-C".as_ref(), root.as_os_str()])
                .ok();
        }
        let entry = config["config"]["Entrypoint"][0].as_str().unwrap();
        let program = root.join(entry.trim_start_matches('/'));
        let mut head = [0; 20];
        fs::File::open(&program).unwrap().read_exact(&mut head).unwrap();
        assert_eq!((&head[..4], head[18]), (b"\x7fELF".as_slice(), number));
        assert_eq!(fs::metadata(root.join("railhead-proof.random")).unwrap().len(), 64 << 10);
        if architecture == std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64") {
            assert_ne!(fs::metadata(&program).unwrap().permissions().mode() & 0o111, 0);
            let ran = Program::at(program).run([""; 0]).ok();
            assert_eq!(ran.stdout, format!("railhead proof {id}\n"));
        }
    }
}

/// Proves the image at `name` as `v1`, and compares what the registry then has with `image`.
fn prove(product: &Product, name: &str, more: &[&str], image: &Image) -> Outcome {
    let words = ["--image", name, "--keep", "--replace", "--private"];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    let said = product.site.prove("proof:v1", &words).ok();
    assert_eq!(said.result["platforms"], serde_json::json!(["linux/amd64"]), "{said}");
    let manifest = json(product, "manifests/v1");
    let layers: Vec<&str> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["digest"].as_str().unwrap())
        .collect();
    let config = json(product, &format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
    let diff_ids = &image.content()[1..];
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!(diff_ids), "{said}");
    assert_eq!(layers.len(), diff_ids.len());
    said.outcome
}

#[test]
fn archives_and_layouts() {
    let product = Product::start();
    let mut random = Random::from_clock();
    let path = |name: &str| product.site.path(name).display().to_string();
    let image = Image::random(&mut random, 2, 300_000);

    let archive = path("docker.tar");
    layout::docker_archive(&image, "team/app:v1", Path::new(&archive));
    let said = prove(&product, &archive, &[], &image);
    assert!(said.stderr.contains("note: the archive has no manifest"), "{said}");
    Program::find("gzip").run(["-k", &archive]).ok();
    prove(&product, &format!("{archive}.gz"), &[], &image);

    let mut layout = Layout::of(PathBuf::from(path("layout")), &image);
    prove(&product, &path("layout"), &[], &image);
    let archive = path("oci.tar");
    layout.archive(Path::new(&archive));
    let said = prove(&product, &archive, &[], &image);
    assert!(!said.stderr.contains("note: "), "{said}");

    let other = Image::random(&mut random, 1, 1000);
    let described = layout.image(&other);
    layout.tag("other", &described);
    let name = product.site.name("proof:v1");
    let words = ["prove", &name, "--image", &path("layout"), "--user", OWNER];
    let which = product.site.operator.run(words).refused(&["say which one is meant"]);
    assert!(which.stderr.contains("latest, other") && which.stderr.contains("--image-name"), "{which}");
    prove(&product, &path("layout"), &["--image-name", "other"], &other);

    // A byte of the layer is another one: its digest is wrong before anything is sent.
    let blob = product.site.path("layout/blobs/sha256").join(&image.content()[1]["sha256:".len()..]);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[5000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let words = ["prove", &name, "--image", &path("layout"), "--image-name", "latest", "--user", OWNER];
    product.site.operator.run(words).refused(&["is damaged"]);
    for (name, word) in [("nothing", "is no file"), ("railhead.toml", "neither a docker-archive")] {
        let said = product.site.operator.run([
            "prove",
            &product.site.name("proof:v1"),
            "--image",
            name,
            "--user",
            OWNER,
        ]);
        assert!(said.stderr.contains("hint: "), "{said}");
        said.refused(&[word]);
    }
    let said = product.site.operator.run([
        "prove",
        &product.site.name("proof"),
        "--image",
        &archive,
        "--user",
        OWNER,
    ]);
    assert!(said.stderr.contains("proof:TAG"), "{said}");
    said.refused(&["which tag"]);
}

#[test]
fn images_of_docker_and_of_podman() {
    let mut product = Product::start();
    let image = Image::random(&mut Random::from_clock(), 2, 300_000);
    let archive = product.site.path("image.tar");
    layout::docker_archive(&image, "state-hub:local", &archive);

    let engine = Engine::start();
    engine.docker.run(["load".as_ref(), "-i".as_ref(), archive.as_os_str()]).ok();
    product.site.operator = product.site.operator.with("DOCKER_HOST", engine.socket());
    let said = prove(&product, "state-hub:local", &[], &image);
    let evidence = product.site.operator.evidence("proof");
    let source = &evidence[0]["result"]["source"];
    assert_eq!(
        *source,
        serde_json::json!({ "from": "program", "program": "docker", "name": "state-hub:local" }),
        "{said}"
    );
    assert!(engine.docker.run(["image", "inspect", "state-hub:local"]).success, "the team's image is gone");

    // Without docker, podman is asked.
    let only = product.site.path("bin");
    fs::create_dir(&only).unwrap();
    symlink(Program::find("podman").path(), only.join("podman")).unwrap();
    let storage = product.site.path("storage.conf");
    let [graph, run] = ["graph", "run"].map(|name| product.site.path(name).display().to_string());
    fs::write(
        &storage,
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{graph}\"\nrunroot = \"{run}\"\n"),
    )
    .unwrap();
    let podman = Program::find("podman").with("CONTAINERS_STORAGE_CONF", &storage);
    podman.run(["load".as_ref(), "-i".as_ref(), archive.as_os_str()]).ok();
    product.site.operator =
        product.site.operator.with("PATH", &only).with("CONTAINERS_STORAGE_CONF", &storage);
    prove(&product, "state-hub:local", &[], &image);
    let evidence = product.site.operator.evidence("proof");
    assert_eq!(evidence[1]["result"]["source"]["program"], "podman");
}
