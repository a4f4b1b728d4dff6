//! What evidence tells of keeping images: backups, drills, retention.

use super::history::Document;

const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/// What a backup has, and where it is.
pub fn backup(made: &Document) -> Option<String> {
    if made.text("/of") == "forge" {
        let files = number(made, "/packages")?;
        let bytes = number(made, "/bytes")?;
        return Some(format!("a dump of the forge of {} with {files} files of packages", size(bytes)));
    }
    let counts = |name: &str| number(made, &format!("/counts/{name}"));
    let (repositories, tags, bytes) = (counts("repositories")?, counts("tags")?, counts("bytes")?);
    let (id, place) = (made.text("/id"), made.text("/place"));
    let (repositories, tags) =
        (count(repositories, "repository", "repositories"), count(tags, "tag", "tags"));
    Some(format!("{id} at {place}, with {repositories}, {tags} and {}", size(bytes)))
}

/// What a drill pulled, of which backup.
pub fn drill(drilled: &Document) -> Option<String> {
    let pulled = |name: &str| number(drilled, &format!("/pulled/{name}"));
    let (manifests, blobs, bytes) = (pulled("manifests")?, pulled("blobs")?, pulled("bytes")?);
    let seconds = number(drilled, "/millis")? as f64 / 1000.0;
    let id = drilled.text("/restored/id");
    let (manifests, blobs) = (count(manifests, "manifest", "manifests"), count(blobs, "blob", "blobs"));
    Some(format!("of backup {id} {manifests} and {blobs} were pulled, {} in {seconds:.1} s", size(bytes)))
}

/// What a plan lets go.
pub fn retention(decided: &Document) -> Option<String> {
    let (kept, lost) = (number(decided, "/kept_tags"), number(decided, "/lost_tags")?);
    let kept = kept.map_or_else(String::new, |kept| format!(", {kept} stay"));
    let verb = if decided.text("/act") == "apply" { "went" } else { "would go" };
    Some(format!("by plan {} {} {verb}{kept}", decided.text("/plan"), count(lost, "tag", "tags")))
}

fn number(document: &Document, pointer: &str) -> Option<u64> {
    document.result().pointer(pointer)?.as_u64()
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!([0, 1023, 1536, 5 << 40].map(size), ["0 bytes", "1023 bytes", "1.5 KiB", "5.0 TiB"]);
    }
}
