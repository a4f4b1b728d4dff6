//! `railhead org …`

use clap::{Args, Subcommand};
use railhead_api::{
    Deleted, Member, MemberChange, Members, Organisation, OrganisationCreate, Organisations, Role, Route,
};

use super::owner::Limits;
use crate::admin::Admin;
use crate::failure::Result;
use crate::printer::{Printer, fields, table, time};

/// Create and manage organisations.
#[derive(Debug, Subcommand)]
pub enum Org {
    /// Create an organisation
    Create(Name),
    /// List all organisations
    List,
    /// List the members of an organisation
    Members(Name),
    /// Give a user a role in an organisation, or take it away
    Member(Set),
    /// Show and set how much an organisation may store
    Limits(Limits),
}

/// An organisation's name.
#[derive(Debug, Args)]
pub struct Name {
    /// The organisation; its repositories are named NAME/…
    name: String,
}

/// `org member`
#[derive(Debug, Args)]
pub struct Set {
    /// The organisation
    org: String,
    /// The user
    user: String,
    /// owner, writer, reader; none takes the user out
    #[arg(value_parser = role)]
    role: Asked,
}

/// A role, or none.
#[derive(Clone, Copy, Debug)]
pub struct Asked(Option<Role>);

fn role(text: &str) -> Result<Asked, String> {
    match text {
        "none" => Ok(Asked(None)),
        text => {
            text.parse().map(|role| Asked(Some(role))).map_err(|error: String| format!("{error}, or none"))
        }
    }
}

impl Org {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::Create(Name { name }) => {
                let org: Organisation =
                    admin.send(&Route::OrganisationCreate, &OrganisationCreate { name }).await?;
                printer.data(&org, || fields(&[("name", org.name.clone()), ("created", time(org.created))]))
            }
            Self::List => list(admin, printer).await,
            Self::Members(Name { name }) => members(admin, printer, name).await,
            Self::Member(set) => set.run(admin, printer).await,
            Self::Limits(limits) => limits.run(admin, printer).await,
        }
    }
}

impl Set {
    async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let (organisation, user) = (self.org.into(), self.user.into());
        let Some(role) = self.role.0 else {
            let gone: Deleted = admin.delete(&Route::MemberRemove { organisation, user }).await?;
            return printer.data(&gone, || format!("{} is out\n", gone.deleted));
        };
        let member: Member =
            admin.send(&Route::MemberSet { organisation, user }, &MemberChange { role }).await?;
        printer.data(&member, || fields(&[("user", member.user.clone()), ("role", member.role.to_string())]))
    }
}

async fn list(admin: &Admin, printer: Printer) -> Result<()> {
    let orgs: Organisations = admin.get(&Route::Organisations, &[]).await?;
    printer.data(&orgs, || {
        let rows: Vec<_> =
            orgs.organisations.iter().map(|org| vec![org.name.clone(), time(org.created)]).collect();
        table(&["NAME", "CREATED"], &rows)
    })
}

async fn members(admin: &Admin, printer: Printer, name: String) -> Result<()> {
    let members: Members = admin.get(&Route::Members { organisation: name.into() }, &[]).await?;
    printer.data(&members, || {
        let rows: Vec<_> =
            members.members.iter().map(|member| vec![member.user.clone(), member.role.to_string()]).collect();
        table(&["USER", "ROLE"], &rows)
    })
}
