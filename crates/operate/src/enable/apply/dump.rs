//! A backup of the forge: `gitea dump` in its pod, copied out while it is written, then read from its first byte to its last.
//!
//! Invariants: the file has its name only when all of it was read again and has what it has to have; nobody else can read it, since
//! secrets are in it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use railhead_client::hops::without_patterns;
use railhead_cluster::{Cluster, Pod, Seen, kinds};
use railhead_oci::{Algorithm, Digest, Hasher};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::chain;
use super::database::{self, DatabaseDump};
use crate::enable::AppIni;

/// How long a dump may take.
const PATIENCE: Duration = Duration::from_hours(2);
/// Where the chart's pods have the configuration, unless they say so.
const CONFIG: &str = "/data/gitea/conf/app.ini";
/// What a shell answers when there is no such program.
const NO_PROGRAM: [i32; 2] = [126, 127];

/// What evidence says of a backup of a forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// `forge`: the whole of it, in contrast to images alone.
    pub of: String,
    /// The file.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
    /// How many files are in it.
    pub files: u64,
    /// Git repositories in it.
    pub repositories: u64,
    /// Files of packages in it, which are the layers of images.
    pub packages: u64,
    /// Bytes of the database as SQL, as the forge writes it.
    pub database_bytes: u64,
    /// The database's own dump, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<DatabaseDump>,
    /// The Helm release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
}

impl Dump {
    /// For a person.
    pub fn words(&self) -> String {
        let own = self.database.as_ref().map_or_else(String::new, |own| {
            format!(
                "; {}: {} bytes of the pod {}, {} tables",
                own.file.display(),
                own.bytes,
                own.pod,
                own.tables
            )
        });
        format!(
            "{}: {} bytes, {} repositories, {} files of packages, {} bytes of SQL; every byte read again, {}{own}",
            self.file.display(),
            self.bytes,
            self.repositories,
            self.packages,
            self.database_bytes,
            self.digest
        )
    }
}

/// The running pod of a release, and where its configuration is.
pub async fn pod(cluster: &Cluster, release: &str, namespace: &str) -> Result<(Pod, String), String> {
    let query = format!("labelSelector=app.kubernetes.io%2Finstance%3D{release}");
    let pods = match cluster.list_where(&kinds::POD, Some(namespace), &query).await {
        Ok(Seen::Found(pods)) => pods,
        Ok(Seen::Absent) => Vec::new(),
        Ok(Seen::Denied(right)) => return Err(format!("the right to {right} is missing")),
        Err(error) => return Err(chain(&error)),
    };
    let forge = |pod: &&Value| {
        is_ready(pod)
            && ["gitea", "forgejo"]
                .iter()
                .any(|name| pod["metadata"]["labels"]["app.kubernetes.io/name"] == **name)
    };
    let found = pods.iter().find(forge).ok_or_else(|| {
        format!("the release {release} has no running pod of a forge in the namespace {namespace}")
    })?;
    let containers = found["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let container = containers.first().and_then(|one| one["name"].as_str()).map(str::to_owned);
    let variables = containers.iter().flat_map(|one| one["env"].as_array().into_iter().flatten());
    let config = variables.filter(|one| one["name"] == "GITEA_APP_INI").find_map(|one| one["value"].as_str());
    let name = found["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Ok((Pod { namespace: namespace.to_owned(), name, container }, config.unwrap_or(CONFIG).to_owned()))
}

/// Whether a pod runs, and is not on its way out.
pub(super) fn is_ready(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Dumps the forge of a release into `directory`, and its database, where that has a dump of its own.
pub async fn dump(
    cluster: &Cluster,
    ini: &AppIni,
    release: &str,
    namespace: &str,
    directory: &Path,
) -> Result<Dump, String> {
    let (pod, config) = pod(cluster, release, namespace).await?;
    fs::create_dir_all(directory)
        .map_err(|error| format!("cannot keep a backup in {}: {error}", directory.display()))?;
    let mut partial = partial(directory)?;
    write(cluster, &pod, &config, partial.as_file_mut()).await?;
    let dump = read(partial.path())?;
    let stamp: String =
        format!("{:.3}", Timestamp::now()).chars().filter(|letter| !"-:".contains(*letter)).collect();
    let stem = format!("{release}-{stamp}");
    let (file, _) = kept(partial, directory, &format!("{stem}.tar.gz"))?;
    let database = database::dump(cluster, ini, namespace, directory, &stem).await?;
    Ok(Dump { file, database, release: release.to_owned(), namespace: namespace.to_owned(), ..dump })
}

/// A file that nobody else can read, and that goes again where the course ends before its end.
pub(super) fn partial(directory: &Path) -> Result<NamedTempFile, String> {
    let made = tempfile::Builder::new().prefix(".dump-").tempfile_in(directory);
    made.map_err(|error| format!("cannot make a file in {}: {error}", directory.display()))
}

/// Gives a whole file its name; where it is, and how many bytes it has.
pub(super) fn kept(partial: NamedTempFile, directory: &Path, name: &str) -> Result<(PathBuf, u64), String> {
    let failed = |error: io::Error| format!("cannot keep {name} in {}: {error}", directory.display());
    let file = std::path::absolute(directory.join(name)).map_err(failed)?;
    let bytes = partial.as_file().metadata().map_err(failed)?.len();
    partial.persist_noclobber(&file).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok((file, bytes))
}

/// Has the pod write it.
async fn write(cluster: &Cluster, pod: &Pod, config: &str, to: &mut File) -> Result<(), String> {
    for program in ["gitea", "forgejo"] {
        let failed = |error: io::Error| format!("the dump cannot be written: {error}");
        to.set_len(0).and_then(|()| to.rewind()).map_err(failed)?;
        let mut file = tokio::fs::File::from_std(to.try_clone().map_err(failed)?);
        let words =
            [program, "dump", "--config", config, "--type", "tar.gz", "--skip-log", "--quiet", "--file", "-"];
        let ran = match cluster.exec_with(pod, &words, None, &mut file, PATIENCE).await {
            Ok(ran) => ran,
            // The runtime cannot start what is not in the image.
            Err(error) if program == "gitea" && chain(&error).contains("not found") => continue,
            Err(error) => return Err(chain(&error)),
        };
        if ran.code == 0 {
            return file.sync_all().await.map_err(failed);
        }
        if program == "gitea" && NO_PROGRAM.contains(&ran.code) {
            continue;
        }
        return Err(format!(
            "`{program} dump` in the pod {pod} ends with code {}{}",
            ran.code,
            fatal(&ran.stderr)
        ));
    }
    Err(format!("the pod {pod} has neither gitea nor forgejo"))
}

/// The line that says why it ended, without what looks like a secret: it may speak of the forge's configuration.
fn fatal(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().rev().find_map(|line| line.split_once("[F] ")).map(|(_, line)| line.trim());
    line.map_or_else(String::new, |line| format!(": {}", without_patterns(line)))
}

/// Reads all of it again.
fn read(path: &Path) -> Result<Dump, String> {
    let failed = |error: io::Error| format!("the dump cannot be read again: {error}");
    let file = File::open(path).map_err(failed)?;
    let mut counted = Counted { from: file, bytes: 0, hash: Hasher::new(Algorithm::Sha256) };
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(&mut counted)));
    let mut dump = Dump {
        of: "forge".to_owned(),
        file: PathBuf::new(),
        bytes: 0,
        digest: Digest::sha256(b""),
        files: 0,
        repositories: 0,
        packages: 0,
        database_bytes: 0,
        database: None,
        release: String::new(),
        namespace: String::new(),
    };
    let (mut has_config, mut sink) = (false, io::sink());
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?.to_string_lossy().trim_start_matches("./").to_owned();
        let bytes = io::copy(&mut entry, &mut sink).map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        dump.files += 1;
        has_config |= name.ends_with("app.ini");
        if name == "gitea-db.sql" || name == "forgejo-db.sql" {
            dump.database_bytes = bytes;
        }
        dump.repositories += u64::from(name.starts_with("repos/") && name.ends_with(".git/HEAD"));
        dump.packages += u64::from(name.starts_with("data/packages/"));
    }
    // What follows the archive's end belongs to the file, and to its checksum.
    io::copy(&mut archive.into_inner(), &mut sink).map_err(failed)?;
    io::copy(&mut counted, &mut sink).map_err(failed)?;
    dump.bytes = counted.bytes;
    dump.digest = counted.hash.finish();
    match (has_config, dump.database_bytes) {
        (false, _) => Err("the dump has no app.ini".to_owned()),
        (_, 0) => Err("the dump has no database".to_owned()),
        _ => Ok(dump),
    }
}

/// Counts and hashes what is read.
struct Counted {
    from: File,
    bytes: u64,
    hash: Hasher,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Dump, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    #[test]
    fn why_a_dump_failed_is_said_without_the_rest() {
        let said =
            b"2026/11/26 cmd/dump.go:101:fatal() [F] Failed to include repositories: no such file\nmore\n";
        assert_eq!(fatal(said), ": Failed to include repositories: no such file");
        assert_eq!(fatal(b"password = x"), "");
    }

    #[test]
    fn a_dump_is_counted_and_what_is_missing_or_cut_is_refused() {
        let whole = archive(&[
            ("app.ini", "[server]"),
            ("gitea-db.sql", "INSERT"),
            ("repos/alice/app.git/HEAD", "ref"),
            ("repos/alice/app.git/config", "x"),
            ("data/packages/ab/cd/abcd", "layer"),
        ]);
        let dump = read_bytes(&whole).unwrap();
        assert_eq!((dump.files, dump.repositories, dump.packages, dump.database_bytes), (5, 1, 1, 6));
        assert_eq!((dump.bytes, dump.digest), (whole.len() as u64, Digest::sha256(&whole)));
        assert!(read_bytes(&whole[..whole.len() - 20]).is_err());
        assert!(read_bytes(&archive(&[("app.ini", "")])).unwrap_err().contains("no database"));
        assert!(read_bytes(&archive(&[("gitea-db.sql", "x")])).unwrap_err().contains("no app.ini"));
        assert!(read_bytes(b"").is_err());
    }
}
