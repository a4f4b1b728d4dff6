//! The walks of a diagnosis, also of routes that go through the API server of a cluster.

use futures_util::future::join_all;
use railhead_client::hops::{Route, Settings, Walk, Walker};
use railhead_cluster::{Access, Cluster, Error, Via};
use railhead_operate::through::{Through, ThroughError, is_through, via, walk};

use super::Context;
use crate::failure::{Exit, Failure, Result};

/// Walks all routes at the same time; their records in the same order. A cluster that cannot be asked keeps nobody from the
/// diagnosis of the other routes.
pub async fn walk_all(
    context: &Context,
    access: &Access,
    routes: &[Route],
    settings: Settings,
) -> Result<Vec<Walk>> {
    let mut leads = Vec::new();
    for route in routes {
        let lead = is_through(route).then(|| via(route)).transpose();
        leads.push(lead.map_err(|error| Failure::of(Exit::Usage, &error))?);
    }
    let (mut cluster, mut trouble) = (None, None);
    if leads.iter().any(Option::is_some) {
        match Cluster::connect(access).await {
            Ok(connected) => cluster = Some(connected),
            Err(error) => trouble = Some(error),
        }
    }
    let walker = Walker::new(settings.clone())?;
    let taken = join_all(routes.iter().zip(leads).map(async |(route, lead)| match (lead, &cluster) {
        (None, _) => Ok(walker.walk(route).await),
        (Some(lead), Some(cluster)) => through(cluster, route, lead, &settings).await,
        (Some(_), None) => Err(Failure::new(Exit::Failed, "the cluster cannot be asked")),
    }));
    left_out(context, routes, taken.await, trouble)
}

async fn through(cluster: &Cluster, route: &Route, lead: Via, settings: &Settings) -> Result<Walk> {
    match walk(cluster, route, lead, settings).await {
        Ok(Through::Walked(walk)) => Ok(*walk),
        Ok(Through::Denied(right)) => {
            Err(Failure::new(Exit::Denied, format!("the right to {right} is missing"))
                .hint(format!("a role needs the rule {}", right.rule())))
        }
        Err(ThroughError::Cluster(error)) => Err(error.into()),
        Err(ThroughError::Client(error)) => Err(error.into()),
        Err(error @ ThroughError::Relay(_)) => Err(Failure::of(Exit::Failed, &error)),
    }
}

/// The walks that were taken, with a warning for each that was not; fails where none was. `trouble` is what is wrong with the cluster.
fn left_out(
    context: &Context,
    routes: &[Route],
    walked: Vec<Result<Walk>>,
    mut trouble: Option<Error>,
) -> Result<Vec<Walk>> {
    let (mut walks, mut first) = (Vec::new(), None);
    for (route, walked) in routes.iter().zip(walked) {
        match walked {
            Ok(walk) => walks.push(walk),
            Err(failure) => {
                let failure = trouble.take().map_or(failure, Failure::from);
                let mut why = vec![format!("the route {} is left out: {}", route.name, failure.message)];
                why.extend(failure.causes.iter().cloned());
                let hint = failure.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
                context.printer.warning(&format!("{}{hint}", why.join(": ")));
                first.get_or_insert(failure);
            }
        }
    }
    match first {
        Some(failure) if walks.is_empty() => Err(failure),
        _ => Ok(walks),
    }
}
