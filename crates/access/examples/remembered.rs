//! Measures what a remembered request costs: `cargo run --release -p railhead-access --example remembered`.
#![expect(clippy::print_stdout, reason = "it reports to a person")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use railhead_access::{Access, Action, Settings};
use railhead_catalog::{Catalog, Location};
use railhead_oci::{RepositoryName, Scope};
use secrecy::ExposeSecret as _;

const ROUNDS: u32 = 1_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let catalog = Catalog::open(Location::Sqlite(directory.path().join("catalog.sqlite"))).await?;
    let access = Access::open(catalog, Settings::default()).await?;
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let Some(first) = access.bootstrap().await? else { return Err("the catalog is not new".into()) };
    let raw = format!("Bearer {}", first.secret.expose_secret());
    let who = access.authenticate(Some(&raw), from).await?;
    let scopes = Scope::parse_all(["repository:admin/app:pull,push"]);
    let bearer = format!("Bearer {}", access.issue(&who, &scopes).await?.token);
    let name: RepositoryName = "admin/app".parse()?;

    for (what, header) in [("token", &raw), ("bearer token", &bearer)] {
        let started = Instant::now();
        let who = access.authenticate(Some(header), from).await?;
        let decided = access.decide(&who, Action::Pull, &name).await?;
        println!("{what} of {} bytes, first time: {:?} ({decided:?})", header.len(), started.elapsed());
        let started = Instant::now();
        for _ in 0..ROUNDS {
            black_box(access.remembered(black_box(header)));
        }
        println!("  remembered:              {:>5} ns", started.elapsed().as_nanos() / u128::from(ROUNDS));
        let started = Instant::now();
        for _ in 0..ROUNDS {
            let who = access.remembered(black_box(header)).ok_or("forgotten")?;
            black_box(access.remembered_decision(&who, Action::Pull, &name)).ok_or("forgotten")?;
        }
        println!("  remembered and decided:  {:>5} ns", started.elapsed().as_nanos() / u128::from(ROUNDS));
    }
    Ok(())
}
