//! Where a registry keeps what it has: one server on a directory of its own, or two replicas on the same Postgres and S3.

use std::collections::BTreeSet;
use std::path::Path;

use railhead_catalog::Location;
use railhead_catalog::testing;
use railhead_suites::leftovers::{KNOWN_OBJECTS, KNOWN_UPLOADS, assert_none};
use railhead_suites::railhead::Options;
use railhead_suites::{Bucket, Railhead, leftovers};
use secrecy::ExposeSecret as _;

use crate::CONFIGURATION;

/// A registry, and what it keeps, to look at past the server.
pub struct Place {
    /// At least one; all serve the same.
    pub replicas: Vec<Railhead>,
    shared: Option<Shared>,
}

struct Shared {
    bucket: Bucket,
    url: String,
    _database: testing::Place,
}

impl Place {
    /// One server, with SQLite and files.
    pub fn local(scratch: &Path) -> Self {
        Self { replicas: vec![start(scratch, "one", CONFIGURATION)], shared: None }
    }

    /// Two replicas, with Postgres and S3.
    pub fn shared(scratch: &Path) -> Self {
        let database = testing::Place::postgres().unwrap();
        let database = database.expect("CANNOT RUN: Postgres: not found; run tools/install");
        let Location::Postgres(url) = database.location() else { unreachable!("it is a Postgres") };
        let url = url.expose_secret().to_owned();
        let (bucket, file) = (Bucket::start(), scratch.join("database-url"));
        std::fs::write(&file, &url).unwrap();
        let configuration = format!(
            "{CONFIGURATION}[database]\nurl_file = '{}'\n{}",
            file.display(),
            bucket.configuration(&scratch.join("s3-key"))
        );
        let replicas = ["one", "two"].map(|name| start(scratch, name, &configuration)).into();
        Self { replicas, shared: Some(Shared { bucket, url, _database: database }) }
    }

    /// The texts in the first column of what the catalog answers.
    pub fn column(&self, query: &str) -> BTreeSet<String> {
        match &self.shared {
            None => leftovers::column(&leftovers::open(self.replicas[0].data()), query),
            Some(shared) => {
                let mut catalog = postgres::Client::connect(&shared.url, postgres::NoTls).unwrap();
                catalog.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Ends all replicas. Then nothing is in the store that the catalog does not know, and everything that it knows is there.
    pub fn end(&mut self) {
        let Some(Shared { bucket, .. }) = &self.shared else {
            return leftovers::check(&mut self.replicas[0]);
        };
        for replica in &mut self.replicas {
            assert!(replica.sigterm(), "SIGTERM must end the server with exit code 0");
        }
        let (objects, known) = (bucket.keys("blobs/"), self.column(KNOWN_OBJECTS));
        assert_none("blobs in the catalog that are not in the bucket", &known, &objects);
        // The object of an upload has its name before it is a blob: a kill leaves it to who goes on with the upload.
        let uploads = self.column(KNOWN_UPLOADS);
        let owned = known.iter().cloned().chain(uploads.iter().map(|id| format!("{}/{id}", &id[..2])));
        assert_none("objects in the bucket that the catalog does not know", &objects, &owned.collect());
        let staged = bucket.keys("uploads/");
        let staged =
            staged.iter().filter_map(|key| key.split_once('/')).map(|(id, _)| id.to_owned()).collect();
        assert_none("staged objects in the bucket that the catalog does not know", &staged, &uploads);
        println!(
            "in the bucket: {} objects, {} staged, all known to the catalog",
            objects.len(),
            staged.len()
        );
    }
}

fn start(scratch: &Path, name: &str, configuration: &str) -> Railhead {
    let home = scratch.join(name);
    std::fs::create_dir(&home).unwrap();
    let file = home.join("site.toml");
    std::fs::write(&file, configuration).unwrap();
    let arguments = vec!["--config".to_owned(), file.display().to_string()];
    Railhead::start(&home, Options { arguments, ..Options::default() })
}
