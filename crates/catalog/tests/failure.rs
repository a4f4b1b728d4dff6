//! What is left when the process or the connection to the database is killed.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use railhead_catalog::testing::Place;
use railhead_catalog::{Catalog, Limit, Location, NewBlob, NewUpload, Timestamp, UploadId};
use railhead_oci::{Algorithm, Digest, RepositoryName};
use secrecy::ExposeSecret;

/// Says to this program, when it starts itself again, where the catalog is.
const CHILD: &str = "RAILHEAD_CATALOG_TEST_CHILD";
const ANSWERS: usize = 40;

fn digest(number: u64) -> Digest {
    Digest::sha256(&number.to_be_bytes())
}

/// Commits blobs and begins uploads until it is killed, and prints each once it was answered.
async fn write_until_killed(path: std::ffi::OsString) {
    let catalog = Catalog::open(Location::Sqlite(path.into())).await.unwrap();
    let repository = catalog.repository(&"team/app".parse().unwrap()).await.unwrap().unwrap().id;
    for number in 0.. {
        let new = NewBlob {
            repository,
            digest: digest(number),
            size: 1,
            key: number.to_string(),
            upload: None,
            leased_until: Timestamp::now().plus_millis(3_600_000),
            quota: Limit::None,
        };
        catalog.commit_blob(new, Timestamp::now()).await.unwrap();
        let id = UploadId::random().unwrap();
        let new = NewUpload {
            id,
            repository,
            account: None,
            algorithm: Algorithm::Sha256,
            hash_state: vec![],
            store_state: vec![],
        };
        catalog.create_upload(new, Timestamp::now()).await.unwrap();
        // A line of its own: the test harness prints on the same output.
        println!("\nanswered {number} {id}");
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(path).await;
    }
    let place = Place::sqlite().unwrap();
    let Location::Sqlite(path) = place.location() else { panic!("not SQLite") };
    let name: RepositoryName = "team/app".parse().unwrap();
    let catalog = place.open().await.unwrap();
    catalog.create_organisation("team", Timestamp::now()).await.unwrap();
    catalog.ensure_repository(&name, Timestamp::now()).await.unwrap();
    catalog.close().await.unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_answered_survives_a_kill", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let answers: Vec<String> = lines.filter(|line| line.starts_with("answered ")).take(ANSWERS).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answers.len(), ANSWERS);

    let catalog = place.open().await.unwrap();
    for line in answers {
        let mut words = line.split(' ').skip(1);
        let number: u64 = words.next().unwrap().parse().unwrap();
        assert!(catalog.blob_in(&name, &digest(number)).await.unwrap().is_some(), "{line}");
        let id: UploadId = words.next().unwrap().parse().unwrap();
        assert!(catalog.upload(id).await.unwrap().is_some(), "{line}");
    }
    let owner = catalog.owner("team").await.unwrap().unwrap();
    assert_eq!(catalog.recount(owner.id).await.unwrap().used_bytes, owner.used_bytes);
}

#[tokio::test]
async fn only_the_servers_account_reads_the_file() {
    let place = Place::sqlite().unwrap();
    let Location::Sqlite(path) = place.location() else { panic!("not SQLite") };
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let catalog = place.open().await.unwrap();
    catalog.setting_or_insert("key", vec![1]).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again() {
    let Some(place) = Place::postgres().unwrap() else { return };
    let Location::Postgres(url) = place.location() else { panic!("not Postgres") };
    let catalog = place.open().await.unwrap();
    for round in 0..3_u8 {
        // So many at once that each thread has a connection to lose.
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let catalog = catalog.clone();
                tokio::spawn(async move { catalog.ping().await.unwrap() })
            })
            .collect();
        for one in asked {
            one.await.unwrap();
        }
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            let mut client = postgres::Client::connect(url.expose_secret(), postgres::NoTls).unwrap();
            let ended = client
                .query(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                     WHERE application_name = 'railhead' AND datname = current_database()",
                    &[],
                )
                .unwrap();
            assert!(!ended.is_empty());
        })
        .await
        .unwrap();
        let name = format!("setting {round}");
        assert_eq!(catalog.setting_or_insert(&name, vec![round]).await.unwrap(), [round]);
        assert_eq!(catalog.setting(&name).await.unwrap(), Some(vec![round]));
    }
}

#[tokio::test]
async fn errors_do_not_show_the_password() {
    for (url, expected) in [
        ("postgresql://u:hunter2@localhost/db?sslmode=require", "TLS to Postgres is not supported"),
        ("postgresql://u:hunter2@localhost/db?bogus=hunter2", ""),
        ("postgresql://u:hunter2@%2fnowhere/db?sslmode=disable", ""),
    ] {
        let error = Catalog::open(Location::Postgres(url.to_owned().into())).await.unwrap_err();
        let mut text = format!("{error:?} {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text += &cause.to_string();
            source = cause.source();
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
