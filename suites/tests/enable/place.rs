//! The repository of a team that deploys a forge: values encrypted by sops, a site file, git.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use railhead_suites::{Operator, Outcome, Program, sealed};

/// What the encrypted file hides.
pub const PASSWORD: &str = "Passw0rd!geheim";
/// More of it.
pub const KEY: &str = "q8Zk3vN1pL6tR0yW5cJ2aa77";

/// See the module.
pub struct Place {
    directory: tempfile::TempDir,
    tools: PathBuf,
    pub operator: Operator,
}

impl Place {
    /// With these programs besides git, and with the key of the file.
    pub fn new(programs: &[&str], more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("team");
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/gitea-12.5.0.tgz");
        let site = format!(
            "[site]\nhost = \"forge.test\"\nforge = \"gitea\"\n[owners]\napplication = \"railiance-apps\"\nrouting = \"railiance-cluster\"\n\
             [release]\nnamespace = \"default\"\nchart = \"{}\"\nvalues = [\"helm/gitea-values.sops.yaml\"]\n\
             issuer = \"letsencrypt-prod\"\nmakefile = \"Makefile\"\n{more}",
            chart.display()
        );
        let tools = directory.path().join("bin");
        fs::create_dir(&tools).unwrap();
        for name in ["git"].iter().chain(programs) {
            symlink(Program::find(name).path(), tools.join(name)).unwrap();
        }
        let key = directory.path().join("key.txt");
        sealed::make_key(&key);
        let operator = Operator::at(&home, &site)
            .with("PATH", tools.display().to_string())
            .with("HOME", directory.path().display().to_string())
            .with("SOPS_AGE_KEY_FILE", key.display().to_string());
        let place = Self { directory, tools, operator };
        fs::create_dir(home.join("helm")).unwrap();
        place.encrypt("helm/gitea-values.sops.yaml", &values());
        place.git(&["init", "--quiet", "--initial-branch=main"]);
        place.git(&["config", "user.email", "kim@forge.test"]);
        place.git(&["config", "user.name", "kim"]);
        place.git(&["add", "."]);
        place.git(&["commit", "--quiet", "-m", "The release of the forge"]);
        place
    }

    /// A file in the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.operator.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes what sops makes of `text`, which is never in the repository.
    pub fn encrypt(&self, name: &str, text: &str) {
        let encrypted = sealed::encrypt(&self.directory.path().join("key.txt"), text);
        self.write(name, &encrypted);
    }

    pub fn git(&self, words: &[&str]) -> String {
        let program =
            Program::find("git").within(&self.path("")).with("HOME", self.directory.path().to_str().unwrap());
        program.run(words).ok().stdout
    }

    /// The key is somewhere else from now on.
    pub fn forget_the_key(&self) {
        fs::write(self.directory.path().join("key.txt"), "").unwrap();
    }

    /// Puts a script in the place of a program.
    pub fn shim(&self, name: &str, script: &str) {
        let path = self.tools.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The directory of the programs.
    pub fn tools(&self) -> &Path {
        &self.tools
    }

    /// Runs `railhead enable`, which says no secret whatever it is asked.
    #[track_caller]
    pub fn enable(&self, words: &[&str]) -> Outcome {
        let outcome = self.operator.run(["enable"].iter().chain(words));
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!([PASSWORD, KEY].iter().all(|secret| !said.contains(secret)), "it says a secret: {outcome}");
        outcome
    }

    /// What git sees that is not committed.
    pub fn changed(&self) -> Vec<String> {
        let said = self.git(&["status", "--porcelain", "--untracked-files=all"]);
        said.lines()
            .map(|line| line[3..].to_owned())
            .filter(|name| !name.starts_with("railhead-evidence"))
            .collect()
    }
}

fn values() -> String {
    format!(
        "postgresql-ha: {{enabled: false}}\npostgresql: {{enabled: false}}\nvalkey-cluster: {{enabled: false}}\nvalkey: {{enabled: false}}\n\
         gitea:\n  admin: {{username: alice, password: {PASSWORD}, email: alice@forge.test}}\n  config:\n    \
         server: {{ROOT_URL: \"http://forge.test\", DOMAIN: forge.test}}\n    security: {{INTERNAL_TOKEN: {KEY}}}\n    \
         database: {{DB_TYPE: sqlite3}}\n    session: {{PROVIDER: memory}}\n    cache: {{ADAPTER: memory}}\n    queue: {{TYPE: level}}\n"
    )
}
