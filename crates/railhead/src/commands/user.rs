//! `railhead user …`

use clap::{Args, Subcommand};
use railhead_api::{Route, User as Account, UserCreate, UserEnabled, UserPassword, Users};
use secrecy::ExposeSecret as _;

use super::read_password;
use crate::admin::Admin;
use crate::failure::Result;
use crate::printer::{Printer, fields, table, time};

/// Create and manage users.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Create a user
    Create(Create),
    /// List all users
    List,
    /// Give a user a new password
    Password(Password),
    /// Forbid a user everything; tokens and logins stop at once
    Disable(Name),
    /// Allow a disabled user everything again
    Enable(Name),
}

/// `user create`
#[derive(Debug, Args)]
pub struct Create {
    /// The name; repositories of the user are named NAME/…
    name: String,
    /// Read a password from standard input; without one the user can have tokens only
    #[arg(long)]
    password_stdin: bool,
    /// Let the user administer the registry
    #[arg(long)]
    admin: bool,
}

/// `user password`
#[derive(Debug, Args)]
pub struct Password {
    /// The user
    name: String,
    /// Read the password from standard input without asking for it
    #[arg(long)]
    password_stdin: bool,
}

/// A user's name.
#[derive(Debug, Args)]
pub struct Name {
    /// The user
    name: String,
}

impl User {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::Create(create) => create.run(admin, printer).await,
            Self::List => list(admin, printer).await,
            Self::Password(Password { name, password_stdin }) => {
                let password = read_password(printer, !password_stdin)?.expose_secret().to_owned();
                let route = Route::UserPassword { user: name.into() };
                show(printer, &admin.send(&route, &UserPassword { password }).await?)
            }
            Self::Disable(Name { name }) => set_enabled(admin, printer, name, false).await,
            Self::Enable(Name { name }) => set_enabled(admin, printer, name, true).await,
        }
    }
}

impl Create {
    async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let password = if self.password_stdin { Some(read_password(printer, false)?) } else { None };
        let tokens_only = password.is_none();
        let password = password.map(|password| password.expose_secret().to_owned());
        let create = UserCreate { name: self.name, admin: self.admin, password };
        let user: Account = admin.send(&Route::UserCreate, &create).await?;
        if tokens_only {
            printer.note(&format!(
                "{0} has no password, only tokens: `railhead token create --user {0} --scope push` makes one",
                user.name
            ));
        }
        show(printer, &user)
    }
}

async fn set_enabled(admin: &Admin, printer: Printer, name: String, enabled: bool) -> Result<()> {
    let route = Route::UserEnabled { user: name.into() };
    show(printer, &admin.send(&route, &UserEnabled { enabled }).await?)
}

async fn list(admin: &Admin, printer: Printer) -> Result<()> {
    let users: Users = admin.get(&Route::Users, &[]).await?;
    printer.data(&users, || {
        let rows: Vec<_> = users
            .users
            .iter()
            .map(|user| {
                vec![user.name.clone(), kind(user).to_owned(), login(user).to_owned(), time(user.created)]
            })
            .collect();
        table(&["NAME", "KIND", "LOGIN", "CREATED"], &rows)
    })
}

fn show(printer: Printer, user: &Account) -> Result<()> {
    printer.data(user, || {
        fields(&[
            ("name", user.name.clone()),
            ("kind", kind(user).to_owned()),
            ("login", login(user).to_owned()),
            ("created", time(user.created)),
        ])
    })
}

const fn kind(user: &Account) -> &'static str {
    if user.admin { "admin" } else { "user" }
}

const fn login(user: &Account) -> &'static str {
    match (user.disabled, user.password) {
        (true, _) => "disabled",
        (false, true) => "password and tokens",
        (false, false) => "tokens",
    }
}
