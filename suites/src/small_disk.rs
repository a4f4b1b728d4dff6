//! A disk of a few megabytes, which a test can fill.
//!
//! It is a tmpfs in a mount namespace of the test's own: nobody else sees it, and it is gone with the test, however that
//! ends. A namespace is entered by a process and not by a thread, so the test runs itself once more inside.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::program::Program;

/// Set for the test that runs inside.
const INSIDE: &str = "SUITES_INSIDE";

/// Runs `test`, which is called `name`, in a mount namespace of its own.
pub fn in_own_namespace(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let this = std::env::current_exe().unwrap();
    let root = rustix::process::geteuid().is_root();
    // Without root it takes a user namespace, which not every system lets everybody have.
    let namespaces: &[&str] = if root { &["--mount"] } else { &["--mount", "--user", "--map-root-user"] };
    let unshare = Program::find("unshare").with(INSIDE, "1");
    let possible = unshare.run(namespaces.iter().chain(&["--", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]));
    assert!(possible.success, "CANNOT RUN: {name}: no mount namespace: {}", possible.stderr.trim());
    let test = ["--", this.to_str().unwrap(), "--exact", name, "--nocapture"];
    let outcome = unshare.run(namespaces.iter().chain(&test)).ok();
    assert!(outcome.stdout.contains("1 passed"), "{name} is not the test's name: {outcome}");
    println!("{}", outcome.stdout);
}

/// A disk, mounted until it is dropped.
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `mebibytes` at `place`, which is made.
    pub fn mount(place: &Path, mebibytes: usize) -> Self {
        fs::create_dir_all(place).unwrap();
        let size = format!("size={mebibytes}m,mode=700");
        let arguments = ["-t", "tmpfs", "-o", &size, "tmpfs"].map(OsStr::new);
        Program::find("mount").run(arguments.iter().chain([&place.as_os_str()])).ok();
        Self { place: place.to_owned() }
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, mebibytes: usize) {
        let size = format!("remount,size={mebibytes}m");
        let arguments = [OsStr::new("-o"), OsStr::new(&size), self.place.as_os_str()];
        Program::find("mount").run(arguments).ok();
    }

    /// Writes to `file` until not one byte more goes in.
    pub fn fill(file: &Path) {
        let mut file = File::create(file).unwrap();
        let zeros = vec![0; 1 << 20];
        let mut piece = zeros.len();
        while piece > 0 {
            match file.write(&zeros[..piece]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => piece /= 2,
                Err(error) => panic!("cannot fill the disk: {error}"),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have files open when the test has failed.
        let _ = Program::find("umount").run([OsStr::new("--lazy"), self.place.as_os_str()]);
    }
}
