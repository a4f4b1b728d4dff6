//! Images under the former name of an owner that was renamed on the forge.
//!
//! For [`crate::Settings::former_names`] from its renaming on, a pull below the former name is a pull below the one of now: the
//! rights that count are those on the repository as it is called now, and a bearer token is asked for under the name that the
//! client uses. A name that somebody else has, here or on the forge, is a former one no more.
//!
//! Order that keeps this right: whoever serves a pull asks for the decision first and for [`Access::current_name`] after it. A
//! name is forgotten before anything is decided about its new owner, so what was decided about one owner is never served from
//! another.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use railhead_catalog::{FormerName, Timestamp};
use railhead_oci::RepositoryName;

use crate::settings::millis;
use crate::{Access, Result};

/// What a repository is called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentName {
    /// Its name.
    pub name: RepositoryName,
    /// Until when it can be pulled under the former one.
    pub until: Timestamp,
    /// The owner's number on the forge.
    pub(crate) forge_id: Option<i64>,
}

type Names = Arc<HashMap<String, FormerName>>;

/// The former names, as they were in one generation.
#[derive(Default)]
pub(crate) struct FormerNames(RwLock<Option<(u64, Names)>>);

impl FormerNames {
    fn of(&self, generation: u64) -> Option<Names> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(of, _)| *of == generation).map(|(_, names)| Arc::clone(names))
    }

    fn keep(&self, generation: u64, names: &Names) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((generation, Arc::clone(names)));
    }
}

impl Access {
    /// What `repository` is called now, when its owner had another name until lately.
    pub async fn current_name(&self, repository: &RepositoryName) -> Result<Option<CurrentName>> {
        let shared = &self.0;
        if shared.settings.forge.is_none() || shared.settings.former_names.is_zero() {
            return Ok(None);
        }
        let now = self.now();
        let known = shared.generation.fresh(now).and_then(|generation| shared.former_names.of(generation));
        let names = match known {
            Some(names) => names,
            // Boxed: every pull comes by here, and seldom does one get so far.
            None => Box::pin(self.former_names()).await?,
        };
        let Some(former) = names.get(repository.owner()) else { return Ok(None) };
        let until = former.renamed_at.plus_millis(millis(shared.settings.former_names));
        let name = format!("{}/{}", former.now.to_ascii_lowercase(), repository.image());
        // The longer name of an owner may leave no room for the image's.
        let name = name.parse().ok().filter(|_| now < until);
        Ok(name.map(|name| CurrentName { name, until, forge_id: former.forge_id }))
    }

    async fn former_names(&self) -> Result<Names> {
        let shared = &self.0;
        // Read before the names: what is changed meanwhile makes them too old.
        let generation = shared.generation.current(&shared.catalog, self.now()).await?;
        let found = shared.catalog.former_names().await?;
        let names = Arc::new(found.into_iter().map(|one| (one.name.clone(), one)).collect());
        shared.former_names.keep(generation, &names);
        Ok(names)
    }

    /// Ends a former name, which somebody else has on the forge.
    pub(crate) async fn end_former_name(&self, name: &str) -> Result<()> {
        let (catalog, name) = (self.0.catalog.clone(), name.to_owned());
        self.change(async move { catalog.end_former_name(&name).await }).await
    }
}
