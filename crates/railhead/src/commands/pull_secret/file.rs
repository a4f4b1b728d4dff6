//! Files with pull secrets: reading them, writing them, keeping them encrypted.

use std::io::{IsTerminal as _, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use railhead_operate::Cluster;
use railhead_operate::pull_secret::{Manifest, ManifestError, Sops};
use railhead_operate::write_whole_as;
use secrecy::ExposeSecret as _;

use crate::commands::Context;
use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;

/// Standard input or output in the place of a file.
pub const DASH: &str = "-";
/// The largest Secret that a cluster takes has 1 MiB; a file may have more than one.
const FILE_MAX: u64 = 16 << 20;
/// What nobody else may read.
const OWN: u32 = 0o600;

/// A file with a pull secret.
pub struct Found {
    /// Where; none for standard input.
    pub path: Option<PathBuf>,
    /// As it is there.
    pub text: String,
    /// What is in it.
    pub manifest: Manifest,
    /// `sops` has the keys to it.
    pub encrypted: bool,
}

impl Found {
    /// Reads the file of a flag or of the site, and in it the Secret `wanted`.
    pub fn read(
        context: &Context,
        flag: Option<&Path>,
        cluster: &Cluster,
        wanted: Option<&str>,
    ) -> Result<Self> {
        let Some(path) = flag.or(cluster.pull_secret_file.as_deref()) else {
            return Err(Failure::new(Exit::Usage, "nobody says which file has the pull secret").hint(
                "name it with --file, or `pull_secret_file` in the site file; - is standard input, as in `kubectl get secret \
                 NAME -o yaml | railhead pull-secret …`",
            ));
        };
        let is_input = path == Path::new(DASH);
        if is_input && context.common.token_file.as_deref() == Some(Path::new(DASH)) {
            return Err(Failure::new(Exit::Usage, "token and Secret cannot both be on standard input"));
        }
        let text = if is_input { from_input(context.printer) } else { from_file(path) }?;
        let (manifest, encrypted) = match Manifest::read(&text, wanted) {
            Err(ManifestError::Encrypted) => {
                let shown = if is_input { Path::new("standard input") } else { path };
                let plain = Sops::find(cluster.sops_config.as_deref())?.decrypt(&text, shown)?;
                (Manifest::read(plain.expose_secret(), wanted)?, true)
            }
            other => (other?, false),
        };
        Ok(Self { path: (!is_input).then(|| path.to_owned()), text, manifest, encrypted })
    }
}

fn from_file(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("cannot read {}", path.display())).because(&error)
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_MAX {
        return Err(Failure::new(Exit::Usage, format!("{} is too large for a Secret", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn from_input(printer: Printer) -> Result<String> {
    if std::io::stdin().is_terminal() {
        printer.note("reading the Secret from standard input");
    }
    let mut text = String::new();
    std::io::stdin()
        .take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Failed, "cannot read standard input").because(&error))?;
    Ok(text)
}

/// Writes a new Secret to `path`, encrypted or for its owner alone.
pub fn write_new(path: &Path, text: &str, sops: Option<&Sops>) -> Result<()> {
    match sops {
        Some(sops) => write_whole_as(path, sops.encrypt(text, path)?.as_bytes(), 0o644)?,
        None => write_whole_as(path, text.as_bytes(), OWN)?,
    }
    Ok(())
}

/// Writes a changed Secret to the file that it is from, which keeps its permissions.
pub fn write_again(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot write {}", path.display())).because(&error)
    };
    // A link stays a link, as a working tree may have one.
    let path = std::fs::canonicalize(path).map_err(failed)?;
    let mode = std::fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o777;
    Ok(write_whole_as(&path, text.as_bytes(), mode)?)
}

/// Prints a Secret; as JSON for programs. A site that keeps secrets encrypted gets none in a plain file by a redirection.
pub fn print(printer: Printer, manifest: &Manifest, may_be_a_file: bool) -> Result<()> {
    if !may_be_a_file && rustix::fs::fstat(std::io::stdout()).is_ok_and(|stat| is_file(&stat)) {
        return Err(Failure::new(
            Exit::Usage,
            "standard output is a file, and this site keeps secrets encrypted",
        )
        .hint("write it with --out FILE, which encrypts it; --plain writes it as it is"));
    }
    if std::io::stdout().is_terminal() {
        printer.note("this is a secret; `| kubectl apply -f -` or --out FILE keeps it off the screen");
    }
    let (text, _) = manifest.text();
    printer.data(manifest.secret(), || text)
}

fn is_file(stat: &rustix::fs::Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
}
