//! `railhead repo …`

use clap::{Args, Subcommand};
use railhead_api::{
    Deleted, Repositories, Repository, RepositoryDetail, Route, Visibility, VisibilityChange,
};

use super::confirm;
use crate::admin::Admin;
use crate::config::size::show;
use crate::failure::Result;
use crate::printer::{Printer, fields, table, time};

/// Show and manage repositories.
#[derive(Debug, Subcommand)]
pub enum Repo {
    /// List repositories
    List(List),
    /// Show a repository
    Show(Name),
    /// Say who may pull from a repository
    Visibility(Set),
    /// Delete a repository with all its tags and images
    Delete(Delete),
}

/// `repo list`
#[derive(Debug, Args)]
pub struct List {
    /// Only repositories of this user or organisation
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
}

/// A repository's name.
#[derive(Debug, Args)]
pub struct Name {
    /// The repository, as owner/image
    name: String,
}

/// `repo visibility`
#[derive(Debug, Args)]
pub struct Set {
    /// The repository, as owner/image
    name: String,
    /// public: everybody may pull; private: who has a grant
    #[arg(value_parser = str::parse::<Visibility>)]
    visibility: Visibility,
}

/// `repo delete`
#[derive(Debug, Args)]
pub struct Delete {
    /// The repository, as owner/image
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Repo {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::List(List { owner }) => list(admin, printer, owner).await,
            Self::Show(Name { name }) => {
                let detail: RepositoryDetail =
                    admin.get(&Route::Repository { name: name.into() }, &[]).await?;
                printer.data(&detail, || show_detail(&detail))
            }
            Self::Visibility(Set { name, visibility }) => {
                let route = Route::RepositoryVisibility { name: name.into() };
                let changed: Repository = admin.send(&route, &VisibilityChange { visibility }).await?;
                printer.data(&changed, || format!("{} is {}\n", changed.name, changed.visibility))
            }
            Self::Delete(Delete { name, yes }) => {
                confirm(printer, yes, &format!("delete {name} with all its tags and images"))?;
                let gone: Deleted = admin.delete(&Route::RepositoryDelete { name: name.into() }).await?;
                printer.data(&gone, || format!("{} is deleted\n", gone.deleted))
            }
        }
    }
}

async fn list(admin: &Admin, printer: Printer, owner: Option<String>) -> Result<()> {
    let mut all = Repositories { repositories: Vec::new(), next: None };
    loop {
        let mut query: Vec<_> = owner.iter().map(|owner| ("owner", owner.clone())).collect();
        query.extend(all.next.take().map(|after| ("after", after)));
        let page: Repositories = admin.get(&Route::Repositories, &query).await?;
        all.repositories.extend(page.repositories);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    printer.data(&all, || {
        let rows: Vec<_> = all
            .repositories
            .iter()
            .map(|one| vec![one.name.clone(), one.visibility.to_string(), show(one.bytes), time(one.created)])
            .collect();
        table(&["NAME", "VISIBILITY", "SIZE", "CREATED"], &rows)
    })
}

fn show_detail(detail: &RepositoryDetail) -> String {
    let one = &detail.repository;
    let mut text = fields(&[
        ("name", one.name.clone()),
        ("visibility", one.visibility.to_string()),
        ("size", show(one.bytes)),
        ("tags", detail.tags.to_string()),
        ("created", time(one.created)),
    ]);
    if let Some(source) = &detail.source {
        text.push_str(&fields(&[("source", source.clone())]));
    }
    if !detail.latest.is_empty() {
        text.push('\n');
        text.push_str(&super::tag::rows(&detail.latest));
    }
    text
}
