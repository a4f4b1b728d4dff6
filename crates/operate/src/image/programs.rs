//! Gets an image out of the programs that have it: docker, then podman.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::archive::{ImageError, read};
use super::{Image, Source};
use crate::programs::{find, last_line};

/// The image `name` of the first program here that has it.
pub fn from_program(name: &str) -> Result<Image, ImageError> {
    let mut tried = Vec::new();
    for (program, words) in
        [("docker", &["save"][..]), ("podman", &["save", "--quiet", "--format", "oci-archive"])]
    {
        let Some(path) = find(program) else {
            tried.push(format!("{program} is not here"));
            continue;
        };
        match saved(program, &path, words, name) {
            Ok(image) => return Ok(image),
            Err(ImageError::Program { said, .. }) => tried.push(format!("{program} said: {said}")),
            Err(other) => return Err(other),
        }
    }
    Err(ImageError::Nowhere { name: name.to_owned(), tried: tried.join("; ") })
}

fn saved(program: &str, path: &Path, words: &[&str], name: &str) -> Result<Image, ImageError> {
    let scratch = tempfile::Builder::new()
        .prefix("railhead-image-")
        .suffix(".tar")
        .tempfile()
        .map_err(|source| ImageError::Read { path: std::env::temp_dir(), source })?
        .into_temp_path();
    // podman writes no archive over a file that is there.
    std::fs::remove_file(&scratch)
        .map_err(|source| ImageError::Read { path: scratch.to_path_buf(), source })?;
    let mut command = Command::new(path);
    // Behind `--` a name cannot be taken for a flag.
    command.args(words).arg("--output").arg(scratch.as_os_str()).arg("--").arg(name).stdin(Stdio::null());
    let failed =
        |said: String| ImageError::Program { program: program.to_owned(), name: name.to_owned(), said };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(last_line(&output.stderr)));
    }
    let mut image = read(&PathBuf::from(scratch.as_os_str()), Some(name))?;
    image.source = Source::Program { program: program.to_owned(), name: name.to_owned() };
    image._scratch = Some(Arc::new(scratch));
    Ok(image)
}
