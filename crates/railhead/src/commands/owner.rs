//! `railhead owner …`

use clap::{Args, Subcommand};
use railhead_api::{Limits as Answer, LimitsChange, OnForge, OwnerState, Owners, Route};

use crate::admin::Admin;
use crate::config::size::{parse_limit, show, show_limit};
use crate::failure::Result;
use crate::printer::{Printer, fields, table};

/// Show owners, decide about those that the forge has no more, and set how much one may store.
#[derive(Debug, Subcommand)]
pub enum Owner {
    /// List all owners, and what the forge says of each
    List,
    /// Give what an owner had to the user or organisation that has its name on the forge now
    Adopt(Name),
    /// Show how much an owner stores and may store; set it with --quota and --layer
    Limits(Limits),
}

/// An owner's name.
#[derive(Debug, Args)]
pub struct Name {
    /// The user or organisation
    name: String,
}

/// `owner limits`
#[derive(Debug, Args)]
pub struct Limits {
    /// The user or organisation
    name: String,
    /// Bytes for all repositories together, as in 10GiB; -1 is no limit
    #[arg(long, value_name = "SIZE", value_parser = parse_limit, allow_negative_numbers = true)]
    quota: Option<i64>,
    /// Bytes for one layer, as in 2GiB; -1 is no limit
    #[arg(long, value_name = "SIZE", value_parser = parse_limit, allow_negative_numbers = true)]
    layer: Option<i64>,
}

impl Owner {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::List => list(admin, printer).await,
            Self::Adopt(Name { name }) => {
                let owner: OwnerState =
                    admin.send(&Route::OwnerAdopt { owner: name.into() }, &serde_json::json!({})).await?;
                printer.data(&owner, || {
                    fields(&[
                        ("owner", owner.name.clone()),
                        ("used", show(owner.used_bytes)),
                        ("forge", on_forge(&owner)),
                    ])
                })
            }
            Self::Limits(limits) => limits.run(admin, printer).await,
        }
    }
}

async fn list(admin: &Admin, printer: Printer) -> Result<()> {
    let all: Owners = admin.get(&Route::Owners, &[]).await?;
    printer.data(&all, || {
        let kind = |owner: &OwnerState| if owner.organisation { "organisation" } else { "user" };
        let row = |owner: &OwnerState| {
            vec![owner.name.clone(), kind(owner).to_owned(), show(owner.used_bytes), on_forge(owner)]
        };
        table(&["NAME", "KIND", "USED", "FORGE"], &all.owners.iter().map(row).collect::<Vec<_>>())
    })
}

fn on_forge(owner: &OwnerState) -> String {
    match owner.forge {
        None => "-".to_owned(),
        Some(OnForge::There) => "there".to_owned(),
        Some(OnForge::Renamed) => {
            format!("renamed to {}", owner.renamed_to.as_deref().unwrap_or_default())
        }
        Some(OnForge::Taken) => "another one has the name: adopt, or delete the repositories".to_owned(),
        Some(OnForge::Gone) => "gone: adopt, or delete the repositories".to_owned(),
        Some(OnForge::Hidden) => "gone or private (set forge.token_file to know)".to_owned(),
        Some(OnForge::Unseen) => "not seen yet".to_owned(),
    }
}

impl Limits {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let owner = self.name.into();
        let limits: Answer = if self.quota.is_none() && self.layer.is_none() {
            admin.get(&Route::Limits { owner }, &[]).await?
        } else {
            let change = LimitsChange { quota_bytes: self.quota, layer_bytes: self.layer };
            admin.send(&Route::LimitsSet { owner }, &change).await?
        };
        printer.data(&limits, || {
            fields(&[
                ("owner", limits.owner.clone()),
                ("quota", show_limit(limits.quota_bytes)),
                ("layer", show_limit(limits.layer_bytes)),
                ("used", show(limits.used_bytes)),
            ])
        })
    }
}
