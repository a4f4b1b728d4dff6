//! The three ways to the admin API, one code path for commands: over the network with a token, over the control socket
//! of a running server, or, when no server runs, in this process with the data directory locked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use railhead_access::Identity;
use railhead_api::{ErrorBody, Route, segment};
use railhead_client::{Http, Origin, Trust};
use railhead_server::api::{Api, Call};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::Context;
use crate::commands::operator::token;
use crate::failure::{Exit, Failure, Result};
use crate::site::{DataDirectory, LockError, Site};

/// How long an answer may take: deleting a large repository takes a while.
const TIMEOUT: Duration = Duration::from_mins(5);

/// A way to the admin API.
#[derive(Clone)]
pub enum Admin {
    /// A registry somewhere else, or behind its control socket.
    Remote(railhead_client::Admin),
    /// A registry in this process.
    Local(Arc<Local>),
}

/// What is open in this process.
pub struct Local {
    api: Api,
    operator: Arc<Identity>,
    site: Site,
    /// Held as long as the catalog is open.
    _directory: DataDirectory,
}

impl Admin {
    /// Finds the way: a flag before a variable, and a server before a data directory.
    pub async fn connect(context: &Context) -> Result<Self> {
        let common = &context.common;
        let by_variable = context.layers.variable("RAILHEAD_SERVER").filter(|_| common.data.is_none());
        match common.server.as_deref().or(by_variable) {
            Some(url) => remote(context, url),
            None => Self::at_data(context).await,
        }
    }

    async fn at_data(context: &Context) -> Result<Self> {
        let config = context.config()?;
        if !config.data.is_dir() {
            let message = format!("there is no data directory at {}", config.data.display());
            return Err(Failure::new(Exit::NotFound, message).hint(
                "`railhead serve` makes one; name it with --data, or name a registry elsewhere with --server URL",
            ));
        }
        let socket = config.data.join("control.sock");
        if answers(&socket).await {
            let http = Http::new(Origin::Socket(socket), None, TIMEOUT);
            return Ok(Self::Remote(railhead_client::Admin::new(http, None)));
        }
        let directory = match DataDirectory::lock(&config.data) {
            Ok(directory) => directory,
            // A server that is just starting or stopping has the lock without the socket.
            Err(error @ LockError::Taken { .. }) => {
                return Err(Failure::of(Exit::Unavailable, &error).hint(
                    "it does not answer at its control socket; wait until it has started, or look at its log",
                ));
            }
            Err(error) => return Err(Failure::of(Exit::Failed, &error)),
        };
        let site = Site::open(&config).await?;
        let (rules, scrub) = (context.retention()?.rules, crate::heal::settings(&config)?);
        let api = Api::new(site.access.clone(), site.registry.clone(), rules, scrub);
        let operator = site.access.operator();
        Ok(Self::Local(Arc::new(Local { api, operator, site, _directory: directory })))
    }

    /// Asks for what a route shows.
    pub async fn get<A: DeserializeOwned>(&self, route: &Route<'_>, query: &[(&str, String)]) -> Result<A> {
        self.ask(route, query, None).await
    }

    /// Asks to delete what a route names.
    pub async fn delete<A: DeserializeOwned>(&self, route: &Route<'_>) -> Result<A> {
        self.ask(route, &[], None).await
    }

    /// Sends a body to a route.
    pub async fn send<A: DeserializeOwned>(&self, route: &Route<'_>, body: &impl Serialize) -> Result<A> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Failure::new(Exit::Failed, "cannot write the question as JSON").because(&error)
        })?;
        self.ask(route, &[], Some(body.into())).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        route: &Route<'_>,
        query: &[(&str, String)],
        body: Option<Bytes>,
    ) -> Result<A> {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let query = query.join("&");
        let answer = match self {
            Self::Local(local) => local.ask(route, &query, body).await?,
            Self::Remote(admin) => {
                let joint = if query.is_empty() { "" } else { "?" };
                admin.ask(route.method(), &format!("{}{joint}{query}", route.path()), body).await?
            }
        };
        serde_json::from_slice(&answer).map_err(|error| {
            let message = format!("the answer to {} {} cannot be read", route.method(), route.path());
            Failure::new(Exit::Failed, message)
                .because(&error)
                .hint("are server and command of the same release?")
        })
    }

    /// Waits until everything is written.
    pub async fn close(&self) -> Result<()> {
        match self {
            Self::Remote(_) => Ok(()),
            Self::Local(local) => local.site.close().await,
        }
    }
}

impl Local {
    async fn ask(&self, route: &Route<'_>, query: &str, body: Option<Bytes>) -> Result<Bytes> {
        let path = route.path();
        let method = Method::from_bytes(route.method().as_bytes())
            .map_err(|error| Failure::new(Exit::Failed, "the route has no method").because(&error))?;
        let call = Call {
            method,
            path: &path,
            query: Some(query).filter(|query| !query.is_empty()),
            body: body.unwrap_or_default(),
            who: Arc::clone(&self.operator),
            from: None,
        };
        let answer = self.api.call(call).await;
        if answer.status.is_success() {
            return Ok(answer.body.into());
        }
        Err(match serde_json::from_slice::<ErrorBody>(&answer.body) {
            Ok(body) => body.error.into(),
            Err(error) => {
                Failure::new(Exit::Failed, format!("the answer is {} without a reason", answer.status))
                    .because(&error)
            }
        })
    }
}

fn remote(context: &Context, url: &str) -> Result<Admin> {
    let origin: Origin = url.parse().map_err(|error| Failure::of(Exit::Usage, &error))?;
    let layers = &context.layers;
    let path = |flag: &Option<std::path::PathBuf>, variable: &str| {
        flag.clone().or_else(|| layers.variable(variable).map(Into::into))
    };
    let Some(token) = token(context)? else {
        return Err(Failure::new(Exit::Usage, format!("a token is needed for {origin}"))
            .hint("put it into RAILHEAD_TOKEN, or name a file with --token-file"));
    };
    if !origin.is_private() {
        context
            .printer
            .warning(&format!("{origin} is not encrypted: everybody on the way can read the token"));
    }
    let trust = match &origin {
        Origin::Web { https: true, .. } => {
            Some(Trust::system(path(&context.common.ca, "RAILHEAD_CA").as_deref())?)
        }
        _ => None,
    };
    Ok(Admin::Remote(railhead_client::Admin::new(Http::new(origin, trust, TIMEOUT), Some(token))))
}

/// Whether a server listens on a control socket. A socket that a killed server left does not answer.
async fn answers(socket: &Path) -> bool {
    tokio::net::UnixStream::connect(socket).await.is_ok()
}
