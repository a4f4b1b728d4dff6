//! Packs the table of relocations where the system's loader can read that: unpacked it is 0.6 MiB, every page of which
//! is read at each start and stays in the memory of an idle server.

use std::process::Command;

/// The first glibc whose loader reads packed relocations (`DT_RELR`).
const NEEDED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let native = variable("HOST") == variable("TARGET");
    // A binary for another machine may meet an older loader, which would refuse it.
    if native && variable("CARGO_CFG_TARGET_ENV") == "gnu" && glibc().is_some_and(|found| found >= NEEDED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, as in `glibc 2.36`; none where that cannot be told.
fn glibc() -> Option<(u32, u32)> {
    let printed = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(printed.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
