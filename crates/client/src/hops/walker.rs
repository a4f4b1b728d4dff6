//! Walks routes.

use futures_util::future::join_all;

use super::course::Course;
use super::reach::Guide;
use super::record::Walk;
use super::route::Route;
use super::settings::Settings;
use crate::Result;

/// Takes routes from the name to the cancelled upload.
pub struct Walker(Guide);

impl Walker {
    /// Reads the authorities of the system and of the routes in [`Settings::known`]; fails if a file of theirs has none.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Self(Guide::new(settings)?))
    }

    /// Takes one route. Whatever happens on it is in the record.
    pub async fn walk(&self, route: &Route) -> Walk {
        Box::pin(Course::new(&self.0, route).walk()).await
    }

    /// Takes all routes at the same time; their records in the same order.
    pub async fn walk_all(&self, routes: &[Route]) -> Vec<Walk> {
        join_all(routes.iter().map(|route| self.walk(route))).await
    }
}
