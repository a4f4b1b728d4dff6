//! `railhead tag …`

use clap::{Args, Subcommand};
use railhead_api::{Deleted, Route, Tag as Kept, Tags};

use super::confirm;
use crate::admin::Admin;
use crate::failure::Result;
use crate::printer::{Printer, table, time};

/// Show and delete tags.
#[derive(Debug, Subcommand)]
pub enum Tag {
    /// List the tags of a repository
    List(List),
    /// Delete a tag; the image stays, and so do its other tags
    Delete(Delete),
}

/// `tag list`
#[derive(Debug, Args)]
pub struct List {
    /// The repository, as owner/image
    repository: String,
}

/// `tag delete`
#[derive(Debug, Args)]
pub struct Delete {
    /// The repository, as owner/image
    repository: String,
    /// The tag
    tag: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Tag {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::List(List { repository }) => list(admin, printer, &repository).await,
            Self::Delete(Delete { repository, tag, yes }) => {
                confirm(printer, yes, &format!("delete the tag {repository}:{tag}"))?;
                let route = Route::TagDelete { name: repository.into(), tag: tag.into() };
                let gone: Deleted = admin.delete(&route).await?;
                printer.data(&gone, || format!("{} is deleted\n", gone.deleted))
            }
        }
    }
}

async fn list(admin: &Admin, printer: Printer, repository: &str) -> Result<()> {
    let mut all = Tags { tags: Vec::new(), next: None };
    loop {
        let query: Vec<_> = all.next.take().map(|after| ("after", after)).into_iter().collect();
        let page: Tags = admin.get(&Route::Tags { name: repository.into() }, &query).await?;
        all.tags.extend(page.tags);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    printer.data(&all, || rows(&all.tags))
}

/// Tags as a table.
pub fn rows(tags: &[Kept]) -> String {
    let rows: Vec<_> =
        tags.iter().map(|tag| vec![tag.name.clone(), tag.digest.clone(), time(tag.updated)]).collect();
    table(&["TAG", "DIGEST", "UPDATED"], &rows)
}
