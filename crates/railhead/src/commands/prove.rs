//! `railhead prove`: shows that a registry does what a team needs of it.
//!
//! Order: the plan (target, site file, flags, image), the proof, the evidence, how it ended.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use railhead_client::Credentials;
use railhead_client::hops::Route;
use railhead_cluster::Cluster;
use railhead_oci::Tag;
use railhead_operate::image::{Image, from_program, random};
use railhead_operate::prove::{
    NodePull, Nodes, Outcome, Plan, Program, Proof, Step, Target, Verdict, prove, secrets_of,
};
use railhead_operate::{Evidence, Kind, Site, Visibility};
use serde::Serialize;

use super::Context;
use super::inspect::ClusterArguments;
use super::operator::{account, block_on, keep, path, routes, site_of, warn_of_plain};
use super::stop::Stop;
use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

/// Show that login, push and pull work, and that only those can who may
///
/// Pushes a small image that is made on the spot, pulls it by tag and by digest, compares every byte, tries it without a
/// login and with a wrong token, and removes it again, also when it is interrupted. The account's token comes from
/// RAILHEAD_TOKEN or --token-file. Without --route the routes are those of the site file, or https; the first is pushed to,
/// all are pulled from. With --cluster the nodes pull it too, without a pull secret and with one.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "it is the text of --help")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Prove {
    /// The image to push, as in git.example.com/team/app; without a tag, one of its own
    #[arg(value_name = "HOST/OWNER/IMAGE[:TAG]")]
    target: Target,
    /// A way to the registry, as in pod=http://git.example.com,connect=10.0.0.7:3000; repeat it for others
    #[arg(long = "route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    routes: Vec<Route>,
    /// Log in as this account
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read a token that may not push from this file [variable: RAILHEAD_TOKEN_READONLY]
    #[arg(long, value_name = "FILE")]
    readonly_token_file: Option<PathBuf>,
    /// Everybody is meant to be able to pull
    #[arg(long, conflicts_with = "private")]
    public: bool,
    /// Nobody is meant to pull without a login
    #[arg(long)]
    private: bool,
    /// Push this image of docker or podman, or of an archive or OCI layout at this path, instead of a made one
    #[arg(long, value_name = "NAME|PATH")]
    image: Option<String>,
    /// Which image of the archive, if it has several
    #[arg(long, value_name = "NAME", requires = "image")]
    image_name: Option<String>,
    /// Leave the image there if all is well, for the handoff
    #[arg(long)]
    keep: bool,
    /// Move the tag for good if it names something else
    #[arg(long, requires = "keep")]
    replace: bool,
    /// Repeat login, push and pull with these programs: docker, podman, skopeo
    #[arg(long, value_name = "PROGRAM", value_delimiter = ',')]
    with: Vec<Program>,
    /// Let the nodes of the cluster pull the image, each in a pod that is removed again
    #[arg(long)]
    cluster: bool,
    /// Only this node; repeat it for others [default: the site's, or all that are ready]
    #[arg(long = "node", value_name = "NAME", requires = "cluster")]
    nodes: Vec<String>,
    /// Make the pods in this namespace [default: the site's, or the context's]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    namespace: Option<String>,
    /// Let the nodes try this pull secret of the namespace [default: the site's]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pull_secret: Option<String>,
    /// Which cluster
    #[command(flatten)]
    access: ClusterArguments,
}

/// A proof for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    proof: &'a Proof,
    /// Where the evidence is.
    evidence: PathBuf,
}

impl Prove {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let site = site_of(context, &self.target.host)?;
        block_on(async {
            let mut stop = Stop::listen()?;
            let plan = tokio::select! {
                biased;
                () = stop.wanted() => {
                    return Err(Failure::new(Exit::Failed, "interrupted before anything was sent"));
                }
                plan = self.plan(context, &site) => plan?,
            };
            if plan.account.is_some() {
                warn_of_plain(context, &plan.routes);
            }
            Box::pin(self.prove(context, &site, &plan, stop)).await
        })?
    }

    async fn prove(&self, context: &Context, site: &Site, plan: &Plan, mut stop: Stop) -> Result<()> {
        let printer = context.printer;
        for note in &plan.image.notes {
            printer.note(note);
        }
        let mut shown = Ok(());
        let mut untried = Untried::default();
        let mut watch = |step: &Step| {
            if !printer.is_json() && shown.is_ok() {
                shown = printer.raw(&untried.lines(step));
            }
        };
        let proof = Box::pin(prove(plan, async || stop.wanted().await, &mut watch)).await?;
        let ok = proof.verdict == Verdict::Proven;
        let versions = proof.server.iter().map(|server| ("server".to_owned(), server.clone()));
        let versions = versions.chain(proof.programs.clone());
        let evidence = Evidence::new(Kind::Proof, &proof.host, ok, &proof)?.with_versions(versions);
        let evidence = keep(site, &evidence, &secrets_of(plan))?;
        if let Some(nodes) = plan.nodes.as_ref().filter(|_| !proof.nodes.is_empty()) {
            keep(site, &cluster_pull(&proof, nodes)?, &secrets_of(plan))?;
        }
        shown?;
        printer.data(&Shown { proof: &proof, evidence: evidence.clone() }, || {
            untried.rest() + &summary(&proof, &evidence)
        })?;
        end(&proof)
    }

    async fn plan(&self, context: &Context, site: &Site) -> Result<Plan> {
        let account = account(context, self.user.as_deref())?;
        let expected = match (self.public, self.private) {
            (true, _) => Some(Visibility::Public),
            (_, true) => Some(Visibility::Private),
            _ => site.visibility,
        };
        let (image, tag) = self.image().await?;
        Ok(Plan {
            host: self.target.host.clone(),
            repository: self.target.repository.clone(),
            tag,
            routes: routes(context, &self.routes, site, &self.target.host)?,
            readonly: self.readonly(context, account.as_ref())?,
            account,
            expected,
            image,
            keep: self.keep,
            replace: self.replace,
            with: self.with.clone(),
            nodes: self.nodes(context, site).await?,
        })
    }

    /// The cluster whose nodes pull.
    async fn nodes(&self, context: &Context, site: &Site) -> Result<Option<Nodes>> {
        if !self.cluster {
            return Ok(None);
        }
        let known = &site.cluster;
        let cluster = Cluster::connect(&self.access.access(site)).await?;
        if cluster.is_unverified() {
            context.printer.warning("the kubeconfig says not to verify the API server's certificate");
        }
        let namespace = self.namespace.clone().or_else(|| known.namespace.clone());
        let namespace = namespace.unwrap_or_else(|| cluster.namespace().to_owned());
        let only = if self.nodes.is_empty() { known.nodes.clone() } else { self.nodes.clone() };
        let (id, _) = random()
            .map_err(|error| Failure::new(Exit::Failed, "cannot name what a proof makes").because(&error))?;
        Ok(Some(Nodes {
            cluster,
            namespace,
            secret: self.pull_secret.clone().or_else(|| known.pull_secret.clone()),
            only,
            owners: site.owners.clone(),
            id,
        }))
    }

    /// The token that may not push belongs to the same account, unless the registry does not look at names.
    fn readonly(&self, context: &Context, account: Option<&Credentials>) -> Result<Option<Credentials>> {
        let file = path(context, self.readonly_token_file.as_ref(), "RAILHEAD_TOKEN_READONLY_FILE");
        let secret = match (file, context.layers.variable("RAILHEAD_TOKEN_READONLY")) {
            (Some(file), _) => read_secret(&file)?,
            (None, Some(token)) => token.into(),
            (None, None) => return Ok(None),
        };
        let Some(account) = account else {
            return Err(Failure::new(Exit::Usage, "there is a token that may not push, and none that may")
                .hint("name the account with --user, and put its token into RAILHEAD_TOKEN"));
        };
        Ok(Some(Credentials { user: account.user.clone(), secret }))
    }

    async fn image(&self) -> Result<(Image, Tag)> {
        let Some(name) = &self.image else {
            let failed = |error: &(dyn std::error::Error + 'static)| {
                Failure::new(Exit::Failed, "cannot make an image").because(error)
            };
            let (id, bytes) = random().map_err(|error| failed(&error))?;
            let image = Image::made(&id, &bytes).map_err(|error| failed(&error))?;
            let own = format!("railhead-proof-{id}").parse().map_err(|error| failed(&error))?;
            return Ok((image, self.target.tag.clone().unwrap_or(own)));
        };
        let Some(tag) = self.target.tag.clone() else {
            let message = format!("nobody says which tag {name} is to get");
            return Err(Failure::new(Exit::Usage, message).hint(format!("write {}:TAG", self.target)));
        };
        let file = Path::new(name);
        let image = if file.exists() {
            Image::at(file, self.image_name.as_deref())
        } else {
            from_program(name).await
        };
        Ok((image?, tag))
    }
}

/// The pulls of the nodes as evidence of their own, which the report looks for.
fn cluster_pull(proof: &Proof, nodes: &Nodes) -> Result<Evidence> {
    let is_good = |pull: &NodePull| pull.outcome != Outcome::Failed;
    let ok = proof.nodes.iter().all(is_good) && proof.nodes.iter().any(|pull| pull.pulled);
    let result = serde_json::json!({
        "context": nodes.cluster.context(),
        "namespace": nodes.namespace,
        "repository": proof.repository,
        "digest": proof.digest,
        "nodes": proof.nodes,
    });
    Ok(Evidence::new(Kind::ClusterPull, &proof.host, ok, &result)?)
}

/// Steps that were not tried for the same reason are told in one line.
#[derive(Default)]
struct Untried {
    names: Vec<String>,
    why: String,
}

impl Untried {
    /// The lines that a step makes, with those that waited for it.
    fn lines(&mut self, step: &Step) -> String {
        let mut lines = String::new();
        let is_untried = step.outcome == Outcome::NotTried;
        if !(self.names.is_empty() || is_untried && step.detail == self.why) {
            let _ = writeln!(lines, "not tried  {}: {}", self.names.join(", "), self.why);
            self.names.clear();
        }
        if is_untried {
            self.names.push(step.name.clone());
            self.why.clone_from(&step.detail);
        } else {
            let _ = writeln!(lines, "{step}");
        }
        lines
    }

    /// The line that still waits.
    fn rest(&self) -> String {
        match self.names.as_slice() {
            [] => String::new(),
            names => format!("not tried  {}: {}\n", names.join(", "), self.why),
        }
    }
}

fn summary(proof: &Proof, evidence: &Path) -> String {
    let digest = proof.digest.map_or_else(String::new, |digest| format!("@{digest}"));
    let verdict = match proof.verdict {
        Verdict::Proven => "proven",
        _ => "not proven",
    };
    let seconds = proof.millis as f64 / 1000.0;
    let mend = mending(proof);
    format!(
        "{mend}{verdict}: {}{digest} in {seconds:.1} s\nevidence: {}\n",
        proof.image(),
        evidence.display()
    )
}

/// What to do about what kept nodes from pulling, each thing once.
fn mending(proof: &Proof) -> String {
    let failed = proof.nodes.iter().filter(|pull| pull.outcome == Outcome::Failed);
    let lines = failed.filter_map(|pull| pull.cause.as_ref());
    let lines: BTreeSet<String> =
        lines.map(|cause| format!("to mend {}: {}\n", cause.words(), cause.fix)).collect();
    lines.into_iter().collect()
}

/// How it ended, by its first failure.
fn end(proof: &Proof) -> Result<()> {
    let exit = match proof.verdict {
        Verdict::Proven => return Ok(()),
        Verdict::Failed | Verdict::Interrupted => Exit::Failed,
        Verdict::Denied => Exit::Denied,
        Verdict::Unreachable => Exit::Unavailable,
        Verdict::Taken => Exit::Conflict,
    };
    let failed: Vec<&Step> = proof.failed().collect();
    let Some(first) = failed.first() else { return Ok(()) };
    if proof.verdict == Verdict::Interrupted && failed.len() == 1 {
        return Err(Failure::new(exit, "the proof was interrupted, and what it had made was removed"));
    }
    let more = match failed.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let route = match &first.route {
        Some(place) if first.name == "node pull" => format!(" on {place}"),
        Some(route) => format!(" on route {route}"),
        None => String::new(),
    };
    let message = format!("the proof failed at '{}'{route}{more}: {}", first.name, first.detail);
    Err(Failure::new(exit, message).hint(hint(proof, first)))
}

/// What to do about a step that failed.
fn hint(proof: &Proof, step: &Step) -> String {
    let (host, owner) = (&proof.host, proof.repository.owner());
    let doctor = format!("`railhead doctor {host}` says why, and who has to act");
    let program = step.name.split(' ').next().unwrap_or_default();
    match (step.name.as_str(), proof.verdict) {
        ("login", Verdict::Denied) => {
            "check the user and the token; on Gitea and Forgejo it needs the scope write:package".to_owned()
        }
        ("tag", Verdict::Taken) => "choose another tag, or move it for good with --replace --keep".to_owned(),
        ("wrong-token" | "anonymous push", _) => {
            "who may push has to be asked for a login: look at the registry's authentication before anybody uses it".to_owned()
        }
        ("readonly-token", _) => {
            "give a token that may only pull; on Gitea and Forgejo its scope is read:package".to_owned()
        }
        ("anonymous pull", _) => format!(
            "change who may see {owner} or the repository, or say what is meant with --public, --private or site.visibility"
        ),
        ("pull tag" | "pull digest" | "head", Verdict::Failed) => format!(
            "something on the way changes what is pulled, or the registry's store is damaged; {doctor}"
        ),
        ("node pull", _) => node_hint(proof).unwrap_or_else(|| {
            "the registry is well; look at the cluster, and at what the kubeconfig may do there".to_owned()
        }),
        ("interrupted" | "clean-up", _) => "what remains is named at 'clean-up'".to_owned(),
        (_, Verdict::Denied) => format!(
            "the account needs the right to push to {owner}; on Gitea and Forgejo its token needs the scope write:package"
        ),
        _ if Program::ALL.iter().any(|one| one.word() == program) => trust_hint(proof, program),
        _ => doctor,
    }
}

/// What to do about the first node that could not pull.
fn node_hint(proof: &Proof) -> Option<String> {
    let failed = proof.nodes.iter().find(|pull| pull.outcome == Outcome::Failed)?;
    let cause = failed.cause.as_ref()?;
    Some(format!("{}; `railhead explain {}` says more", cause.fix, cause.code))
}

/// Programs trust whom they are told to trust.
fn trust_hint(proof: &Proof, program: &str) -> String {
    let host = &proof.host;
    let Some(ca) = proof.routes.iter().find_map(|route| route.ca.as_ref()) else {
        return format!("try it by hand: `{program} login {host}`");
    };
    format!(
        "{program} has to trust the registry's authority: copy {} to /etc/docker/certs.d/{host}/ca.crt",
        ca.display()
    )
}
