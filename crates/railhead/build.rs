//! How the program is linked, so that an idle server keeps few pages of it in memory.
//!
//! The table of relocations is packed where the system's loader can read that: unpacked it is 0.6 MiB, every page of which
//! is read at each start. What a server runs lies side by side (`layout.ld`, written by `cargo xtask layout`).

use std::process::Command;

/// The first glibc whose loader reads packed relocations (`DT_RELR`).
const NEEDED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-changed=layout.ld");
    let native = variable("HOST") == variable("TARGET");
    // A binary for another machine may meet an older loader, which would refuse it.
    if native && variable("CARGO_CFG_TARGET_ENV") == "gnu" && glibc().is_some_and(|found| found >= NEEDED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if variable("PROFILE") == "release"
        && variable("TARGET") == "x86_64-unknown-linux-gnu"
        && linker_is_rusts()
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/layout.ld", variable("CARGO_MANIFEST_DIR"));
    }
}

/// Whether the linker is the one that comes with Rust: others know no such script, or take minutes for it.
fn linker_is_rusts() -> bool {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let chosen = ["linker", "link-arg", "link-self-contained"].iter().any(|word| flags.contains(word));
    !chosen && std::env::var_os("RUSTC_LINKER").is_none()
}

/// The version of this machine's glibc, as in `glibc 2.36`; none where that cannot be told.
fn glibc() -> Option<(u32, u32)> {
    let printed = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(printed.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
