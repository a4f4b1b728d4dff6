//! Places: a bucket, one that is sealed with the real age, one that is full.

use std::fs;

use railhead_suites::{Program, Server};

use crate::serving::walk;
use crate::world::{World, json, railhead};

#[test]
fn the_age_program_opens_what_is_sealed() {
    let world = World::filled(1, 200_000);
    let key = world.path("key");
    let key = key.to_str().unwrap();
    let made = Program::find("age-keygen").run(["-o", key]).ok();
    let public = fs::read_to_string(key).unwrap();
    let recipient = public.lines().find_map(|line| line.strip_prefix("# public key: "));
    let recipient = recipient.unwrap_or_else(|| panic!("no public key: {made}")).to_owned();
    let to = world.path("backups");
    let place = to.to_str().unwrap();
    world.back_up(&[place, "--recipient", &recipient]).ok();
    world.back_up(&["verify", place]).refused(&["only their sizes"]);
    world.back_up(&["verify", place, "--identity", key]).ok();
    let sealed: Vec<_> =
        walk(&to).into_iter().filter(|path| path.extension().is_some_and(|end| end == "age")).collect();
    assert!(sealed.len() > 20, "{sealed:?}");
    for path in sealed {
        let plain = world.path("plain");
        let words = ["--decrypt", "-i", key, "-o", plain.to_str().unwrap(), path.to_str().unwrap()];
        Program::find("age").run(words).ok();
        let digest = railhead_suites::layout::digest_of_file(&plain);
        let name = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
        assert_eq!(digest, format!("sha256:{name}"), "{}", path.display());
    }
}

#[test]
fn openssl_s_keys_sign_and_prove_a_backup() {
    let world = World::filled(1, 1000);
    let openssl = Program::find("openssl");
    let files = ["sign.pem", "public.pem", "foreign.pem", "other.pem"].map(|name| world.path(name));
    let [private, public, foreign, other] = files.each_ref().map(|path| path.to_str().unwrap());
    openssl.run(["genpkey", "-algorithm", "ed25519", "-out", private]).ok();
    openssl.run(["pkey", "-in", private, "-pubout", "-out", public]).ok();
    let to = world.path("backups");
    let place = to.to_str().unwrap();
    world.back_up(&[place, "--sign-key", private]).ok();
    world.back_up(&["verify", place, "--verify-key", public]).ok();
    openssl.run(["genpkey", "-algorithm", "ed25519", "-out", foreign]).ok();
    openssl.run(["pkey", "-in", foreign, "-pubout", "-out", other]).ok();
    world.back_up(&["verify", place, "--verify-key", other]).refused(&["damaged"]);
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    railhead(&data, home.path(), &["restore", place, "--verify-key", other])
        .refused(&["not signed with the key"]);
    // A manifest that was changed is not what was signed.
    let manifest = walk(&to.join("snapshots"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "json"));
    let manifest = manifest.unwrap();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"tags\": 8", "\"tags\": 9")).unwrap();
    railhead(&data, home.path(), &["restore", place, "--verify-key", public]).refused(&["changed since"]);
    fs::write(&manifest, text).unwrap();
    railhead(&data, home.path(), &["restore", place, "--verify-key", public]).ok();
}

#[test]
fn a_bucket_is_backed_up_to_verified_pruned_and_restored_from() {
    let world = World::filled(2, 20_000);
    let (_server, endpoint) = moto();
    let run = |data: &std::path::Path, words: &[&str]| {
        let program = railhead_suites::railhead::program(data)
            .with("RAILHEAD_BACKUP_S3_ENDPOINT", &endpoint)
            .with("RAILHEAD_BACKUP_S3_ALLOW_HTTP", "true")
            .with("RAILHEAD_BACKUP_S3_ACCESS_KEY", "key")
            .with("RAILHEAD_BACKUP_S3_SECRET_KEY", "secret");
        program.with("RAILHEAD_CONFIG", world.path("railhead.toml")).run(words)
    };
    fs::write(world.path("railhead.toml"), "[site]\nevidence = \"evidence\"\n").unwrap();
    let data = world.railhead.data();
    let first = json(&run(data, &["backup", "s3://bucket/registry", "--output", "json"]).ok());
    let second =
        json(&run(data, &["backup", "s3://bucket/registry", "--keep", "1", "--output", "json"]).ok());
    assert!(first["copied_blobs"].as_u64().unwrap() > 20);
    assert_eq!(
        (&second["copied_blobs"], second["pruned"]["removed"].as_array().unwrap().len()),
        (&0.into(), 1)
    );
    run(data, &["backup", "verify", "s3://bucket/registry"]).ok();
    let restored = world.path("restored");
    run(&restored, &["restore", "s3://bucket/registry"]).ok();
    let repositories = railhead(&restored, world.scratch.path(), &["repo", "list"]).ok().stdout;
    assert!(repositories.contains("team/app-7"), "{repositories}");
}

/// An S3 server with one empty bucket.
fn moto() -> (Server, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = port.to_string();
    let command = Program::find("moto_server").command(["--host", "127.0.0.1", "--port", &text]);
    let mut server = Server::start("moto_server", command);
    let address = ([127, 0, 0, 1], port).into();
    let http = railhead_suites::http::Http { address, authorization: String::new() };
    server.wait_for("a bucket", |_| {
        http.send("PUT", "/bucket", &[], b"").ok().filter(|answer| answer.status == 200)
    });
    (server, format!("http://{address}"))
}
