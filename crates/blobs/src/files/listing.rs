//! What lies in the directories, sorted and page by page, for a sweep.
//!
//! A name that is not one of the store's is left out: the store did not make it and must not remove it.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::SystemTime;

use super::directories::{ALGORITHMS, Directories};
use super::failed;
use crate::{Object, ObjectKey, Result, StageId, Staged};

pub(super) fn objects(
    directories: &Directories,
    after: Option<ObjectKey>,
    limit: usize,
) -> Result<Vec<Object>> {
    let mut page = Vec::new();
    let first = after.and_then(|key| key.digest().map(|digest| (digest.algorithm(), digest.hash()[0])));
    for algorithm in ALGORITHMS {
        for shard in 0..=u8::MAX {
            if first.is_some_and(|first| (algorithm, shard) < first) {
                continue;
            }
            let prefix = format!("{}/{shard:02x}/", algorithm.name());
            let behind = |key: &ObjectKey| after.is_none_or(|after| *key > after);
            let found = entries(&directories.blobs.join(&prefix), &prefix, limit - page.len(), behind)?;
            page.extend(found.into_iter().map(|(key, size, modified)| Object { key, size, modified }));
            if page.len() == limit {
                return Ok(page);
            }
        }
    }
    Ok(page)
}

pub(super) fn staged(directories: &Directories, after: Option<StageId>, limit: usize) -> Result<Vec<Staged>> {
    let behind = |id: &StageId| after.is_none_or(|after| *id > after);
    let found = entries(&directories.uploads, "", limit, behind)?;
    Ok(found.into_iter().map(|(id, size, modified)| Staged { id, size, modified }).collect())
}

/// The first `limit` names in one directory for which `wanted` holds, with size and time.
fn entries<N: FromStr + Ord>(
    directory: &Path,
    prefix: &str,
    limit: usize,
    wanted: impl Fn(&N) -> bool,
) -> Result<Vec<(N, u64, SystemTime)>> {
    let look = |error| failed("list", directory, error);
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(look(error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(look)?;
        let name = entry.file_name().to_str().and_then(|name| format!("{prefix}{name}").parse().ok());
        if let Some(name) = name.filter(&wanted) {
            names.push((name, entry));
        }
    }
    names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut found = Vec::new();
    // Only what is given out is looked at. What was removed meanwhile is not there any more.
    for (name, entry) in names {
        if found.len() == limit {
            break;
        }
        match entry.metadata().and_then(|metadata| Ok((metadata.len(), metadata.modified()?))) {
            Ok((size, modified)) => found.push((name, size, modified)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(look(error)),
        }
    }
    Ok(found)
}
