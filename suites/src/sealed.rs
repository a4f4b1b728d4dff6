//! What a team keeps encrypted: an age key outside its repository, and files that sops makes.

use std::fs;
use std::path::Path;

use crate::program::Program;

/// Makes a key in the file `key`.
pub fn make_key(key: &Path) {
    Program::find("age-keygen").run(["-o", key.to_str().unwrap()]).ok();
}

/// What sops makes of the YAML `text` for the key in the file `key`. The text itself is never on a disk.
pub fn encrypt(key: &Path, text: &str) -> String {
    let keys = fs::read_to_string(key).unwrap();
    let recipient = keys.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let words =
        ["encrypt", "--age", recipient, "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"];
    Program::find("sops").run_with_input(words, text).ok().stdout
}
