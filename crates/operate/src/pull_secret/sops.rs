//! Runs `sops`, which keeps files with secrets encrypted. Which keys it takes is its own business: `.sops.yaml` beside
//! or above the file, or the configuration that the site file names.
//!
//! Invariants: a plain text goes through pipes only; what `sops` is told on its command line is no secret.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{io, path, thread};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::programs::find;
use crate::yaml;

/// What is encrypted of a Secret when the rules do not say: `kind` and `metadata` have to be read by who applies it.
const DATA_ONLY: &str = "^(data|stringData)$";

/// How sops says that the key is not here.
const NO_KEY: &str = "Failed to get the data key";
/// What a wrong sum means. sops itself may repeat a value that somebody wrote into the file, so its own words are not used.
const CHANGED: &str = "its MAC does not fit what is in it: somebody changed it without sops, or two versions were merged by hand";

/// Why `sops` did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SopsError {
    /// The program is not here.
    #[error("the program sops is not in the PATH")]
    Missing,
    /// It cannot be run.
    #[error("cannot run sops")]
    Run(#[source] io::Error),
    /// It failed.
    #[error("sops cannot {act} {}: {said}", file.display())]
    Failed {
        /// What it was to do.
        act: &'static str,
        /// With which file.
        file: PathBuf,
        /// The first line that it said.
        said: String,
    },
    /// Its rules leave plain what is secret.
    #[error("the rules of sops for {} leave the login plain", .0.display())]
    Plain(PathBuf),
}

impl SopsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("install sops (https://getsops.io)"),
            Self::Failed { act: "encrypt", said, .. } if said.contains("config file not found") => Some(
                "write a `.sops.yaml` with a creation rule for the file, or name one with `sops_config` in the site file",
            ),
            Self::Failed { act: "encrypt", said, .. } if said.contains("no matching creation rules") => {
                Some("add a creation rule whose path_regex matches the file to `.sops.yaml`")
            }
            Self::Plain(_) => Some("give the creation rule `encrypted_regex: ^(data|stringData)$`"),
            Self::Failed { said, .. } if said == CHANGED => Some(
                "take the last version of the file that sops decrypts, and change it with `sops edit` or `sops set` alone",
            ),
            Self::Failed { act: "decrypt" | "change", .. } => Some(
                "sops needs the private key: for age, in SOPS_AGE_KEY_FILE or ~/.config/sops/age/keys.txt",
            ),
            _ => None,
        }
    }

    /// Whether the file is sound as far as one can see, and the program or the key is not here.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Failed { said, .. } => said.starts_with(NO_KEY),
            _ => false,
        }
    }
}

/// The program.
#[derive(Clone, Debug)]
pub struct Sops {
    program: PathBuf,
    config: Option<PathBuf>,
}

impl Sops {
    /// The one in the `PATH`, with the rules in `config` if it is not to look for them itself.
    pub fn find(config: Option<&Path>) -> Result<Self, SopsError> {
        let program = find("sops").ok_or(SopsError::Missing)?;
        Ok(Self { program, config: config.map(Path::to_owned) })
    }

    /// Encrypts YAML that is to be in `file`, by the rules for that file.
    pub fn encrypt(&self, plain: &str, file: &Path) -> Result<String, SopsError> {
        let first = self.encrypt_with(plain, file, &[])?;
        if is_readable(&first) {
            return whole(first, file);
        }
        // Where the rules say what is to stay plain, both together are an error: then they are right.
        match self.encrypt_with(plain, file, &["--encrypted-regex", DATA_ONLY]) {
            Ok(text) => whole(text, file),
            Err(_) => whole(first, file),
        }
    }

    fn encrypt_with(&self, plain: &str, file: &Path, more: &[&str]) -> Result<String, SopsError> {
        let mut command = self.command("encrypt", file)?;
        let name = path::absolute(file).map_err(SopsError::Run)?;
        command
            .args(["--input-type", "yaml", "--output-type", "yaml", "--filename-override"])
            .arg(name)
            .args(more);
        run(command, "encrypt", file, plain)
    }

    /// Decrypts YAML that was read from `file`.
    pub fn decrypt(&self, encrypted: &str, file: &Path) -> Result<SecretString, SopsError> {
        let mut command = self.command("decrypt", file)?;
        command.args(["--input-type", "yaml", "--output-type", "yaml"]);
        run(command, "decrypt", file, encrypted).map(SecretString::from)
    }

    /// The encrypted text of `file` with the text at `path` of keys changed; recipients and rules stay those of the file.
    pub fn change(
        &self,
        encrypted: &str,
        file: &Path,
        path: &[&str],
        value: &str,
    ) -> Result<String, SopsError> {
        // sops changes files in place. It gets a copy, which is as encrypted as the file, so that a failure leaves the file.
        let copy = tempfile::Builder::new().prefix(".railhead-").suffix(".yaml").tempfile_in(beside(file)?);
        let mut copy = copy.map_err(SopsError::Run)?;
        copy.write_all(encrypted.as_bytes()).map_err(SopsError::Run)?;
        let index = path.iter().fold(String::new(), |index, key| format!("{index}[{}]", Value::from(*key)));
        let mut command = self.command("set", file)?;
        command.args(["--input-type", "yaml", "--output-type", "yaml", "--value-stdin"]);
        command.arg(copy.path()).arg(index);
        run(command, "change", file, &Value::from(value).to_string())?;
        let changed = std::fs::read_to_string(copy.path()).map_err(SopsError::Run)?;
        whole(changed, file)
    }

    /// It looks for its rules in and above the directory that it runs in, which has to be the file's.
    fn command(&self, verb: &str, file: &Path) -> Result<Command, SopsError> {
        let mut command = Command::new(&self.program);
        command.current_dir(beside(file)?);
        if let Some(config) = &self.config {
            command.arg("--config").arg(path::absolute(config).map_err(SopsError::Run)?);
        }
        command.arg(verb);
        // It needs none of our secrets.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RAILHEAD_"))
        {
            command.env_remove(name);
        }
        Ok(command)
    }
}

/// The directory of a file, which has to be there.
fn beside(file: &Path) -> Result<PathBuf, SopsError> {
    let file = path::absolute(file).map_err(SopsError::Run)?;
    let directory = file.parent().unwrap_or(Path::new("/"));
    // What has no directory, as standard input, is where we are.
    std::fs::canonicalize(directory).map_err(SopsError::Run)
}

/// Whether people and programs can see what kind of thing it is.
fn is_readable(text: &str) -> bool {
    yaml::read(text).is_ok_and(|documents| documents.iter().all(|document| document["kind"] == "Secret"))
}

/// An encrypted file says so, and its data shows it; anything else must not be written.
fn whole(text: String, file: &Path) -> Result<String, SopsError> {
    let documents = yaml::read(&text).unwrap_or_default();
    let is_marked = documents.iter().any(|document| document["sops"]["mac"].is_string());
    let tables = documents.iter().flat_map(|document| [&document["data"], &document["stringData"]]);
    let mut data = tables.filter_map(Value::as_object).flat_map(|table| table.values());
    let is_encrypted =
        is_marked && data.all(|value| value.as_str().is_some_and(|text| text.starts_with("ENC[")));
    if is_encrypted { Ok(text) } else { Err(SopsError::Plain(file.to_owned())) }
}

fn run(mut command: Command, act: &'static str, file: &Path, input: &str) -> Result<String, SopsError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(SopsError::Run)?;
    let input = SecretString::from(input);
    let stdin = child.stdin.take();
    // It may write before it has read all.
    let writer = thread::spawn(move || {
        // Who refuses before reading says so by how it ends.
        let _ = stdin.map(|mut stdin| stdin.write_all(input.expose_secret().as_bytes()));
    });
    let output = child.wait_with_output().map_err(SopsError::Run)?;
    let _ = writer.join();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // What follows the first line of a failed decryption is a list of all places that a key was not in.
        let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing").to_owned();
        let is_changed =
            ["MAC mismatch", "Cannot decrypt MAC", "Error decrypting tree", "Could not decrypt value"];
        let said =
            if is_changed.iter().any(|words| said.contains(words)) { CHANGED.to_owned() } else { said };
        return Err(SopsError::Failed { act, file: file.to_owned(), said });
    }
    String::from_utf8(output.stdout)
        .map_err(|error| SopsError::Run(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_encrypted_is_taken() {
        let file = Path::new("a.yaml");
        let marked =
            |data: &str| format!("kind: Secret\ndata: {{a: \"{data}\"}}\nsops: {{mac: \"ENC[x]\"}}\n");
        assert!(whole(marked("ENC[x]"), file).is_ok());
        for plain in [
            marked("eA=="),
            "kind: Secret\ndata: {a: \"ENC[x]\"}".to_owned(),
            String::new(),
            "a: [".to_owned(),
        ] {
            assert!(matches!(whole(plain.clone(), file), Err(SopsError::Plain(_))), "{plain}");
        }
        assert!(is_readable(&marked("x")) && !is_readable("kind: ENC[x]"));
    }
}
