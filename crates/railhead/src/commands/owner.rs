//! `railhead owner …`

use clap::{Args, Subcommand};
use railhead_api::{Limits as Answer, LimitsChange, Route};

use crate::admin::Admin;
use crate::config::size::{parse_limit, show, show_limit};
use crate::failure::Result;
use crate::printer::{Printer, fields};

/// Show and set how much an owner may store.
#[derive(Debug, Subcommand)]
pub enum Owner {
    /// Show how much an owner stores and may store; set it with --quota and --layer
    Limits(Limits),
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
        let Self::Limits(limits) = self;
        limits.run(admin, printer).await
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
