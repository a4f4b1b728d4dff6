//! `railhead token …`

use clap::{Args, Subcommand};
use railhead_api::{Deleted, Route, Token as Kept, TokenCreate, TokenCreated, Tokens};

use super::confirm;
use crate::admin::Admin;
use crate::config::size::parse_span;
use crate::failure::Result;
use crate::printer::{Printer, fields, table, time, time_or};

/// Create and revoke tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Create a token; its secret is printed once and kept nowhere
    Create(Create),
    /// List tokens, without their secrets
    List(List),
    /// End a token now
    Revoke(Revoke),
}

/// `token create`
#[derive(Debug, Args)]
pub struct Create {
    /// Whom the token acts for
    #[arg(long, value_name = "NAME")]
    user: String,
    /// What it may do: pull, push, delete or admin, alone or as in push:team/app*
    #[arg(long = "scope", value_name = "SCOPE", required = true, num_args = 1..)]
    scopes: Vec<String>,
    /// When it ends, as in 90d or 12h; without it, never
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    expires: Option<u64>,
    /// What it is for, in your words
    #[arg(long, value_name = "TEXT", default_value = "made by railhead token create")]
    name: String,
    /// Print the secret alone
    #[arg(long, short)]
    quiet: bool,
}

/// `token list`
#[derive(Debug, Args)]
pub struct List {
    /// Only tokens of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// `token revoke`
#[derive(Debug, Args)]
pub struct Revoke {
    /// The token's id, as `token list` shows it
    id: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Token {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self {
            Self::Create(create) => create.run(admin, printer).await,
            Self::List(list) => list.run(admin, printer).await,
            Self::Revoke(Revoke { id, yes }) => {
                confirm(printer, yes, &format!("revoke token {id}"))?;
                let gone: Deleted = admin.delete(&Route::TokenRevoke { id: id.into() }).await?;
                printer.data(&gone, || format!("token {} is revoked\n", gone.deleted))
            }
        }
    }
}

impl Create {
    async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let create = TokenCreate {
            user: self.user,
            name: self.name,
            scopes: self.scopes,
            expires_seconds: self.expires,
        };
        let created: TokenCreated = admin.send(&Route::TokenCreate, &create).await?;
        if self.quiet && !printer.is_json() {
            return printer.raw(&format!("{}\n", created.secret));
        }
        printer.note("this is the only time that the secret is shown");
        printer.data(&created, || {
            let token = &created.token;
            fields(&[
                ("secret", created.secret.clone()),
                ("id", token.id.clone()),
                ("user", token.user.clone()),
                ("scopes", token.scopes.join(" ")),
                ("expires", time_or(token.expires, "never")),
            ])
        })
    }
}

impl List {
    async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let user = self.user.unwrap_or_default();
        let query = if user.is_empty() { vec![] } else { vec![("user", user)] };
        let tokens: Tokens = admin.get(&Route::Tokens, &query).await?;
        printer.data(&tokens, || {
            let rows: Vec<_> = tokens.tokens.iter().map(row).collect();
            table(&["ID", "USER", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "STATE", "NAME"], &rows)
        })
    }
}

fn row(token: &Kept) -> Vec<String> {
    let state = match (token.revoked, token.expires) {
        (Some(_), _) => "revoked",
        (None, Some(expires)) if expires <= jiff::Timestamp::now() => "expired",
        _ => "active",
    };
    vec![
        token.id.clone(),
        token.user.clone(),
        token.scopes.join(" "),
        time(token.created),
        time_or(token.expires, "never"),
        time_or(token.last_used, "never"),
        state.to_owned(),
        token.name.clone(),
    ]
}
