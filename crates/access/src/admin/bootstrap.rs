//! The first account of a new catalog.

use std::time::Duration;

use railhead_catalog::Error as CatalogError;
use secrecy::SecretString;

use crate::{Access, Error, Result, TokenScope};

/// Name of the first account.
const FIRST: &str = "admin";
/// How long its first token is good.
const LIFE: Duration = Duration::from_hours(24);

/// What [`Access::bootstrap`] made.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The account.
    pub account: String,
    /// A token for everything. It is shown this once, is good for [`Bootstrap::life`], and can be used until then
    /// as often as needed.
    pub secret: SecretString,
    /// How long the token is good.
    pub life: Duration,
}

impl Access {
    /// On a catalog without accounts makes the administrator `admin`, without a password, and a token for it;
    /// otherwise nothing, and nothing where a forge has the accounts. Of several replicas that start at once one does it.
    pub async fn bootstrap(&self) -> Result<Option<Bootstrap>> {
        if self.0.settings.forge.is_some() || !self.0.catalog.owners(None, 1).await?.is_empty() {
            return Ok(None);
        }
        let by = self.operator_actor();
        match self.create_user(&by, FIRST, None, true).await {
            Ok(_) => {}
            Err(Error::Catalog(CatalogError::AlreadyExists(_))) => return Ok(None),
            Err(error) => return Err(error),
        }
        let everything = [TokenScope::everything()];
        let (_, secret) = self.create_token(&by, FIRST, "first login", &everything, Some(LIFE)).await?;
        Ok(Some(Bootstrap { account: FIRST.to_owned(), secret, life: LIFE }))
    }
}
