//! The database's own dump, where the forge's database is a Postgres of the cluster: `pg_dump` in its pod, copied out while it is
//! written, then read from its first line to its last.
//!
//! The forge's dump has the database as SQL too, as the forge writes it; this one is what the database's own tools take back.
//!
//! Invariants: the password reaches `pg_dump` on its standard input and in no word of a command; the file has its name only when all of
//! it was read again.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use railhead_cluster::{Cluster, Pod, Seen, kinds};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain;
use super::dump::{is_ready, kept, partial};
use crate::enable::AppIni;
use crate::programs::last_line;
use crate::secrets::Secrets;

/// How long it may take.
const PATIENCE: Duration = Duration::from_hours(2);
/// The first line of standard input is the password; words are the user and the database.
const SCRIPT: &str = "IFS= read -r PGPASSWORD; export PGPASSWORD; exec pg_dump --host=127.0.0.1 --no-password --compress=6 --username=\"$1\" --dbname=\"$2\"";
/// What the last lines of a whole dump have.
const END: &str = "-- PostgreSQL database dump complete";
/// How the rows of a table begin.
const TABLE: &str = "COPY ";

/// What evidence says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseDump {
    /// The file: SQL, compressed.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Tables in it.
    pub tables: u64,
    /// The pod that it came from.
    pub pod: String,
}

/// Where the forge's database is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    host: String,
    name: String,
    user: String,
    password: String,
}

impl Place {
    /// Of an `app.ini`; none where the database is no Postgres on the network.
    fn of(ini: &AppIni) -> Option<Self> {
        let get = |key: &str| ini.get("database", key).unwrap_or_default().to_owned();
        let (host, _) = split(ini.get("database", "HOST")?);
        let is_there = get("DB_TYPE").eq_ignore_ascii_case("postgres") && !host.starts_with('/');
        is_there.then(|| Self {
            host: host.to_owned(),
            name: get("NAME"),
            user: get("USER"),
            password: get("PASSWD"),
        })
    }

    /// Whether a Service is the one that the forge asks, from this namespace.
    fn is(&self, service: &Value, own: &str) -> bool {
        let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut parts = self.host.split('.');
        let (name, namespace) = (parts.next().unwrap_or_default(), parts.next().unwrap_or(own));
        text("/spec/clusterIP") == self.host
            || (text("/metadata/name") == name && text("/metadata/namespace") == namespace)
    }
}

/// Host and port.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (text, None),
    }
}

/// Dumps the database of the forge that reads `ini`; none where it has none of its own in the cluster.
pub async fn dump(
    cluster: &Cluster,
    ini: &AppIni,
    namespace: &str,
    directory: &Path,
    stem: &str,
) -> Result<Option<DatabaseDump>, String> {
    let Some(place) = Place::of(ini) else { return Ok(None) };
    let Some(pod) = pod(cluster, &place, namespace).await? else { return Ok(None) };
    let mut partial = partial(directory)?;
    let file = partial.as_file_mut().try_clone().map_err(|error| error.to_string())?;
    let mut file = tokio::fs::File::from_std(file);
    let words = ["sh", "-c", SCRIPT, "sh", &place.user, &place.name];
    let input = format!("{}\n", place.password);
    let ran = cluster.exec_with(&pod, &words, Some(input.as_bytes()), &mut file, PATIENCE).await;
    let ran = ran.map_err(|error| format!("the database's own dump: {}", chain(&error)))?;
    if ran.code != 0 {
        let secrets = Secrets::new([(place.user.as_str(), &SecretString::from(place.password))]);
        let said = secrets.clean(&last_line(&ran.stderr));
        return Err(format!("`pg_dump` in the pod {pod} ends with code {}: {said}", ran.code));
    }
    file.sync_all().await.map_err(|error| format!("the database's own dump: {error}"))?;
    let tables = read(File::open(partial.path()).map_err(|error| error.to_string())?)
        .map_err(|why| format!("the database's own dump of the pod {pod}: {why}"))?;
    let (file, bytes) = kept(partial, directory, &format!("{stem}.sql.gz"))?;
    Ok(Some(DatabaseDump { file, bytes, tables, pod: pod.to_string() }))
}

/// A ready pod behind the Service that the forge asks.
async fn pod(cluster: &Cluster, place: &Place, namespace: &str) -> Result<Option<Pod>, String> {
    let services = match cluster.list(&kinds::SERVICE, None).await.map_err(|error| chain(&error))? {
        Seen::Found(services) => services,
        Seen::Absent => return Ok(None),
        Seen::Denied(right) => return Err(format!("the right to {right} is missing")),
    };
    let Some(service) = services.iter().find(|service| place.is(service, namespace)) else { return Ok(None) };
    let Some(selector) = service["spec"]["selector"].as_object().filter(|labels| !labels.is_empty()) else {
        return Ok(None);
    };
    let within = service["metadata"]["namespace"].as_str().unwrap_or(namespace);
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    let pods = match cluster.list(&kinds::POD, Some(within)).await.map_err(|error| chain(&error))? {
        Seen::Found(pods) => pods,
        Seen::Absent => Vec::new(),
        Seen::Denied(right) => return Err(format!("the right to {right} is missing")),
    };
    let mine = |pod: &&Value| {
        is_ready(pod) && selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
    };
    let found = pods.iter().find(mine);
    let found =
        found.ok_or_else(|| format!("no pod of the database behind the service {within}/{name} runs"))?;
    let containers = found["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = containers.iter().filter_map(|one| one["name"].as_str()).collect();
    let container = names.iter().find(|name| name.contains("postgres")).or(names.first());
    Ok(Some(Pod {
        namespace: within.to_owned(),
        name: found["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        container: container.map(|name| (*name).to_owned()),
    }))
}

/// Reads all of it; how many tables it has.
fn read(file: impl io::Read) -> Result<u64, String> {
    let mut lines = BufReader::new(MultiGzDecoder::new(file));
    let (mut tables, mut is_whole, mut line) = (0, false, Vec::new());
    loop {
        line.clear();
        let read = lines
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("it cannot be read again: {error}"))?;
        if read == 0 {
            break;
        }
        tables += u64::from(line.starts_with(TABLE.as_bytes()));
        // Newer releases have a line behind it, older ones nothing.
        is_whole |= line.starts_with(END.as_bytes());
    }
    match (is_whole, tables) {
        (false, _) => Err("its end is missing".to_owned()),
        (true, 0) => Err("it has no table".to_owned()),
        (true, tables) => Ok(tables),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_dump_is_read_to_its_end() {
        let whole = "CREATE TABLE a ();\nCOPY public.a (x) FROM stdin;\n\\.\nCOPY public.b (x) FROM stdin;\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n";
        let bytes = packed(whole);
        assert_eq!(read(bytes.as_slice()), Ok(2));
        assert!(read(&bytes[..bytes.len() - 12]).unwrap_err().contains("cannot be read again"));
        assert_eq!(read(packed("COPY a\n").as_slice()), Err("its end is missing".to_owned()));
        let empty = packed("--\n-- PostgreSQL database dump complete\n");
        assert_eq!(read(empty.as_slice()), Err("it has no table".to_owned()));
    }

    #[test]
    fn the_service_is_known_by_its_name_or_its_address() {
        let ini = |host: &str| {
            AppIni::parse(&format!(
                "[database]\nDB_TYPE = postgres\nHOST = {host}\nNAME = gitea\nUSER = gitea\nPASSWD = geheim"
            ))
        };
        let service = json!({"metadata": {"name": "gitea-db-rw", "namespace": "db"}, "spec": {"clusterIP": "10.96.0.9"}});
        let is = |host: &str, own: &str| Place::of(&ini(host)).unwrap().is(&service, own);
        assert!(is("gitea-db-rw.db.svc.cluster.local:5432", "default") && is("gitea-db-rw", "db"));
        assert!(
            is("10.96.0.9:5432", "default") && !is("gitea-db-rw:5432", "default") && !is("other.db", "db")
        );
        assert_eq!(Place::of(&ini("/run/postgresql")), None);
        assert_eq!(Place::of(&AppIni::parse("[database]\nDB_TYPE = sqlite3\nHOST = x")), None);
    }
}
