//! `railhead config …`

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::serve::Flags;
use crate::config::keys::{Key, Kind};
use crate::config::{Config as Checked, Values, reference};
use crate::failure::Result;
use crate::printer::table;

/// Show the configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every value and where it came from; secrets are not shown
    Show(Flags),
    /// Print a configuration file with every key at its default
    Template,
}

#[derive(Serialize)]
struct Shown {
    key: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Shape>,
    origin: String,
}

/// A value as programs read it.
#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    One(String),
    Many(Vec<String>),
}

impl Shape {
    fn of(key: &Key, texts: &[String]) -> Option<Self> {
        match texts {
            [] => None,
            _ if key.secret_file.is_some() => Some(Self::One("(secret)".to_owned())),
            _ if key.kind == Kind::List => Some(Self::Many(texts.to_vec())),
            [one, ..] => Some(Self::One(one.clone())),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(texts) => texts.join(", "),
        }
    }
}

impl Config {
    /// Runs it.
    pub fn run(self, mut context: Context) -> Result<()> {
        let flags = match self {
            Self::Template => return context.printer.raw(&reference::template()),
            Self::Show(flags) => flags,
        };
        flags.apply(&mut context.layers);
        let values = Values::read(&context.layers)?;
        // What is shown is what `serve` would take.
        Checked::of(&values)?;
        let shown: Vec<_> = values
            .iter()
            .map(|(key, value)| Shown {
                key: key.name,
                value: Shape::of(key, &value.texts),
                origin: value.origin.to_string(),
            })
            .collect();
        context.printer.data(&shown, || {
            let rows: Vec<_> = shown
                .iter()
                .map(|one| {
                    let value = one.value.as_ref().map_or_else(|| "-".to_owned(), Shape::text);
                    vec![one.key.to_owned(), value, one.origin.clone()]
                })
                .collect();
            table(&["KEY", "VALUE", "FROM"], &rows)
        })
    }
}
