//! Short words for the cases.

use railhead_catalog::testing::Place;
use railhead_catalog::{
    Catalog, ForgottenObject, Limit, Location, NewBlob, NewManifest, NewUpload, Owner, Repository, Timestamp,
    UploadId,
};
use railhead_oci::{Algorithm, Digest, RepositoryName, Tag};
use secrecy::ExposeSecret;

pub const NOW: Timestamp = Timestamp(1_750_000_000_000);

/// The end of the leases that the cases give, where they do not say another.
pub const LEASED: Timestamp = Timestamp(NOW.0 + 3_600_000);

pub fn at(seconds: i64) -> Timestamp {
    NOW.plus_millis(seconds * 1000)
}

pub fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

/// A catalog with organisation `Team` and repository `team/app`.
pub async fn with_repository(place: &Place) -> (Catalog, Owner, Repository) {
    let catalog = place.open().await.unwrap();
    let owner = catalog.create_organisation("Team", NOW).await.unwrap();
    let repository = catalog.ensure_repository(&name("team/app"), NOW).await.unwrap();
    (catalog, owner, repository)
}

pub fn blob(repository: &Repository, content: &str, size: u64, key: &str) -> NewBlob {
    NewBlob {
        repository: repository.id,
        digest: digest(content),
        size,
        key: key.to_owned(),
        upload: None,
        leased_until: LEASED,
        quota: Limit::None,
    }
}

/// An object that a catalog has just forgotten.
pub fn forgotten(key: &str, size: u64) -> ForgottenObject {
    ForgottenObject { key: key.to_owned(), size }
}

pub fn manifest(repository: &Repository, content: &str) -> NewManifest {
    NewManifest {
        repository: repository.id,
        digest: digest(content),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        bytes: content.as_bytes().to_vec(),
        subject: None,
        artifact_type: None,
        annotations: None,
        blobs: Vec::new(),
        children: Vec::new(),
        sparse: false,
        tags: Vec::new(),
        frozen: Vec::new(),
        account: None,
        quota: Limit::None,
    }
}

pub fn upload(repository: &Repository) -> NewUpload {
    NewUpload {
        id: UploadId::random().unwrap(),
        repository: repository.id,
        account: None,
        algorithm: Algorithm::Sha256,
        hash_state: vec![0, 1],
        store_state: vec![2, 3],
    }
}

/// What the owner uses and has reserved, after checking that a recount agrees.
pub async fn usage(catalog: &Catalog, owner: &Owner) -> (u64, u64) {
    let stored = catalog.owner_by_id(owner.id).await.unwrap().unwrap();
    let counted = catalog.recount(owner.id).await.unwrap();
    assert_eq!((stored.used_bytes, stored.reserved_bytes), (counted.used_bytes, counted.reserved_bytes));
    (stored.used_bytes, stored.reserved_bytes)
}

/// Changes the database behind the catalog's back.
pub async fn damage_with(place: &Place, script: &'static str) {
    match place.location() {
        Location::Sqlite(path) => rusqlite::Connection::open(path).unwrap().execute_batch(script).unwrap(),
        Location::Postgres(url) => {
            let damage = move || {
                let mut client = postgres::Client::connect(url.expose_secret(), postgres::NoTls).unwrap();
                client.batch_execute(script).unwrap();
            };
            tokio::task::spawn_blocking(damage).await.unwrap();
        }
    }
}
