//! What is said of a key of the configuration. The keys themselves are in `keys`.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An address and a port.
    Address,
    /// A file or a directory; in the file it is relative to the file.
    Path,
    /// Any text.
    Text,
    /// Texts; one flag or item each, or one variable with commas.
    List,
    /// `true` or `false`.
    Bool,
    /// A whole number that is at least the given one.
    Count(u64),
    /// Bytes, as in `10GiB`; at least the given number.
    Size(u64),
    /// Bytes, or `-1` for no limit.
    Limit,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// How the reference names it.
    pub fn words(self) -> String {
        match self {
            Self::Address => "address and port".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Text => "text".to_owned(),
            Self::List => "list of texts".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Count(least) => format!("number, at least {least}"),
            Self::Size(_) => "size, as in `10MiB`".to_owned(),
            Self::Limit => "size, as in `10GiB`; `-1` is no limit".to_owned(),
            Self::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
            }
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// In the file, dotted.
    pub name: &'static str,
    /// In the environment.
    pub variable: &'static str,
    /// On the command line, where it is worth one.
    pub flag: Option<&'static str>,
    /// What a value must look like.
    pub kind: Kind,
    /// Used when nothing is given; empty for none.
    pub default: &'static str,
    /// For a secret: the key that names a file with it. The secret itself is never in the site file, and is never shown.
    pub secret_file: Option<&'static str>,
    /// What it is for.
    pub doc: &'static str,
}

pub(super) const fn key(
    name: &'static str,
    variable: &'static str,
    flag: Option<&'static str>,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, variable, flag, kind, default, secret_file: None, doc }
}

pub(super) const fn secret(
    name: &'static str,
    variable: &'static str,
    file: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, variable, flag: None, kind: Kind::Text, default: "", secret_file: Some(file), doc }
}
