//! Catalogs for tests: an empty SQLite file, or an empty database in a Postgres of the tests' own.
//!
//! The Postgres listens on a unix socket in a temporary directory. It is started for the first [`Place`] that needs
//! it, shared by those that live at the same time, and stopped and removed with the last one.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Catalog, Location, Result};

const START: Duration = Duration::from_mins(1);

/// Where an empty catalog is. It is removed when this is dropped.
#[derive(Debug)]
pub struct Place {
    location: Location,
    _keep: Keep,
}

#[derive(Debug)]
enum Keep {
    Directory(#[expect(dead_code, reason = "removed when dropped")] TempDir),
    Server(#[expect(dead_code, reason = "stopped when dropped")] Arc<Server>),
}

impl Place {
    /// An SQLite file in a temporary directory.
    pub fn sqlite() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let location = Location::Sqlite(directory.path().join("catalog.sqlite"));
        Ok(Self { location, _keep: Keep::Directory(directory) })
    }

    /// A new database. `None`, with a line that says why, when Postgres is not installed; where `CI` is `true` that
    /// is an error.
    pub fn postgres() -> io::Result<Option<Self>> {
        let Some(programs) = programs() else {
            let reason = "Postgres is not installed (no /usr/lib/postgresql/*/bin/postgres)";
            if std::env::var("CI").is_ok_and(|ci| ci == "true") {
                return Err(io::Error::new(io::ErrorKind::NotFound, reason));
            }
            #[expect(clippy::print_stderr, reason = "the test's own output")]
            {
                eprintln!("not run on Postgres: {reason}");
            }
            return Ok(None);
        };
        let server = Server::shared(&programs)?;
        let location = Location::Postgres(server.create_database()?.into());
        Ok(Some(Self { location, _keep: Keep::Server(server) }))
    }

    /// For [`Catalog::open`].
    pub fn location(&self) -> Location {
        self.location.clone()
    }

    /// Opens the catalog there.
    pub async fn open(&self) -> Result<Catalog> {
        Catalog::open(self.location()).await
    }
}

/// Where the newest installed Postgres has its programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop()
}

#[derive(Debug)]
struct Server {
    programs: PathBuf,
    directory: TempDir,
    user: Option<(u32, u32)>,
    process: Child,
    databases: Mutex<u32>,
}

static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    fn shared(programs: &Path) -> io::Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start(programs)?);
        *running = Arc::downgrade(&server);
        Ok(server)
    }

    fn start(programs: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("rh-pg-").tempdir_in("/tmp")?;
        let user = unprivileged()?;
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid))?;
        }
        let data = directory.path().join("data");
        let mut init = command(&programs.join("initdb"), user, directory.path());
        init.arg("-D").arg(&data).args(["--username=railhead", "--auth=trust", "--encoding=UTF8"]);
        succeed(init.args(["--locale=C.UTF-8", "--no-sync", "--no-instructions"]))?;
        let mut postgres = command(&programs.join("postgres"), user, directory.path());
        postgres.arg("-D").arg(&data).arg("-k").arg(directory.path());
        // The tests' own data need not survive the machine.
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]);
        let log = std::fs::File::create(directory.path().join("log"))?;
        let process = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let programs = programs.to_owned();
        let mut server = Self { programs, directory, user, process, databases: Mutex::new(0) };
        server.wait()?;
        Ok(server)
    }

    /// Waits until it answers.
    fn wait(&mut self) -> io::Result<()> {
        let end = Instant::now() + START;
        while Instant::now() < end && self.process.try_wait()?.is_none() {
            let mut ask = command(&self.programs.join("pg_isready"), self.user, self.directory.path());
            ask.arg("-q").arg("-h").arg(self.directory.path());
            if ask.status()?.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.directory.path().join("log"))?;
        Err(io::Error::other(format!("Postgres did not start:\n{log}")))
    }

    /// Makes a database, and answers with its URL.
    fn create_database(&self) -> io::Result<String> {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        *databases += 1;
        let name = format!("catalog{databases}");
        let mut create = command(&self.programs.join("createdb"), self.user, self.directory.path());
        create.arg("-h").arg(self.directory.path()).args(["-U", "railhead", &name]);
        succeed(&mut create)?;
        let mut host = String::new();
        for byte in self.directory.path().as_os_str().as_encoded_bytes() {
            write!(host, "%{byte:02x}").map_err(io::Error::other)?;
        }
        Ok(format!("postgresql://railhead@{host}/{name}?sslmode=disable"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = command(&self.programs.join("pg_ctl"), self.user, self.directory.path());
        stop.args(["stop", "-s", "-m", "immediate", "-D"]).arg(self.directory.path().join("data"));
        if succeed(&mut stop).is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The user to run as: Postgres refuses to run as root.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let account = accounts.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let missing =
        || io::Error::new(io::ErrorKind::NotFound, "there is no user 'postgres' to run Postgres as");
    account.map(Some).ok_or_else(missing)
}

fn command(program: &Path, user: Option<(u32, u32)>, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).env_remove("PGHOST").env_remove("PGDATABASE").env_remove("PGUSER");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{}: {said}", command.get_program().display())))
}

/// Makes a test of each case for each database, in the modules `sqlite` and `postgres`. A case is an async function of the
/// module that it stands behind; it takes the [`Place`] of an empty catalog.
#[expect(clippy::crate_in_macro_def, reason = "the cases are of the crate that calls it")]
#[macro_export]
macro_rules! on_both_databases {
    ($($module:ident: $($case:ident),+ $(,)?;)+) => {
        mod sqlite {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let place = $crate::testing::Place::sqlite().unwrap();
                crate::$module::$case(&place).await;
            })+)+
        }
        mod postgres {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(place) = $crate::testing::Place::postgres().unwrap() {
                    crate::$module::$case(&place).await;
                }
            })+)+
        }
    };
}
