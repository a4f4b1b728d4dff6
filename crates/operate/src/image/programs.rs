//! Gets an image out of the programs that have it: docker, then podman.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use super::archive::{ImageError, read};
use super::{Image, Source};
use crate::programs::{find, last_line};

/// The image `name` of the first program here that has it. What is written for it goes when this is given up, or the image is.
pub async fn from_program(name: &str) -> Result<Image, ImageError> {
    let mut tried = Vec::new();
    for (program, words) in
        [("docker", &["save"][..]), ("podman", &["save", "--quiet", "--format", "oci-archive"])]
    {
        let Some(path) = find(program) else {
            tried.push(format!("{program} is not here"));
            continue;
        };
        match saved(program, &path, words, name).await {
            Ok(image) => return Ok(image),
            Err(ImageError::Program { said, .. }) => tried.push(format!("{program} said: {said}")),
            Err(other) => return Err(other),
        }
    }
    Err(ImageError::Nowhere { name: name.to_owned(), tried: tried.join("; ") })
}

async fn saved(program: &str, path: &Path, words: &[&str], name: &str) -> Result<Image, ImageError> {
    let scratch = tempfile::Builder::new()
        .prefix("railhead-image-")
        .tempdir()
        .map_err(|source| ImageError::Read { path: std::env::temp_dir(), source })?;
    let archive = scratch.path().join("image.tar");
    let mut command = Command::new(path);
    // Behind `--` a name cannot be taken for a flag.
    command.args(words).arg("--output").arg(&archive).arg("--").arg(name);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let failed =
        |said: String| ImageError::Program { program: program.to_owned(), name: name.to_owned(), said };
    let output = command.output().await.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(last_line(&output.stderr)));
    }
    let mut image = read(&archive, Some(name))?;
    image.source = Source::Program { program: program.to_owned(), name: name.to_owned() };
    image.scratch = Some(Arc::new(scratch));
    Ok(image)
}
