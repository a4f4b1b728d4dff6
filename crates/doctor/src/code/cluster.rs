//! What the objects of a cluster show, without asking the registry: found by `railhead inspect`.

use super::{Severity, Story};
use crate::Layer;

const APPS: &str = "Who owns the forge's release: its chart, its values, its Makefile.";
const CLUSTER: &str = "Who runs the cluster's ingress and its certificates.";
const PLATFORM: &str = "Who runs volumes, databases and backups.";
const INSPECT: &str = "`railhead inspect` does not find it any more.";

pub(super) static RIGHT: Story = Story {
    code: "RH-CLUSTER-RIGHT",
    title: "The kubeconfig may not see all that an inspection looks at",
    layer: Layer::Identity,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "The API server answers 403 to some lists. What they would have shown is unknown, and is not said to be absent.",
    why: "The role of the account in the kubeconfig does not have these rights.",
    who: "Who gives out the cluster's roles.",
    mend: "Give the account a ClusterRole with the rules below, or inspect with another kubeconfig.",
    check: INSPECT,
};

pub(super) static RELEASE_NONE: Story = Story {
    code: "RH-RELEASE-NONE",
    title: "No forge was found in the cluster",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "cluster",
    seen: "No Deployment or StatefulSet runs an image of Gitea or Forgejo, as far as the kubeconfig sees.",
    why: "It runs in another cluster or namespace, under an image of another name, or it is not installed.",
    who: APPS,
    mend: "Check the context, and name the namespace with --namespace.",
    check: INSPECT,
};

pub(super) static RELEASE_TWICE: Story = Story {
    code: "RH-RELEASE-TWICE",
    title: "There is a second release of the forge in another namespace",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "Two Helm releases, or two workloads, of a forge. One of them may be what a deployment by mistake left behind.",
    why: "A Makefile or a pipeline named another namespace than the one of the live release, and Helm installed a new one.",
    who: APPS,
    mend: "Find out which one people use, write its namespace into the Makefile and the pipeline, and uninstall the other once it is \
           sure that nothing is in it.",
    check: INSPECT,
};

pub(super) static RELEASE_NAMESPACE: Story = Story {
    code: "RH-RELEASE-NAMESPACE",
    title: "The Makefile names another namespace than the live release is in",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "A variable or a flag of the Makefile names a namespace in which there is no such release.",
    why: "The release was installed by hand or moved, and the Makefile was not changed.",
    who: APPS,
    mend: "Write the live namespace into the Makefile before anybody deploys: Helm would install a second release beside the live one.",
    check: INSPECT,
};

pub(super) static RELEASE_UNFINISHED: Story = Story {
    code: "RH-RELEASE-UNFINISHED",
    title: "The last change of the release did not end well",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The newest record of the Helm release is not `deployed`: it failed, or was broken off and is pending.",
    why: "A hook or the API server refused, pods did not get ready in time, or `helm` was stopped in the middle.",
    who: APPS,
    mend: "Read `helm history` and the pods' events, mend what they name, and roll back to the last good revision or deploy again.",
    check: "`helm status` says `deployed`.",
};

pub(super) static RELEASE_ROLLOUT: Story = Story {
    code: "RH-RELEASE-ROLLOUT",
    title: "The forge is not, or only half, rolled out",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "cluster",
    seen: "Fewer pods are updated or ready than the workload asks for.",
    why: "The new pods do not start, are not ready yet, or have no room; the old ones may still serve.",
    who: APPS,
    mend: "Read the pods' events and logs and mend what they name, or undo the roll-out.",
    check: "`kubectl rollout status` ends.",
};

pub(super) static RELEASE_DRIFT: Story = Story {
    code: "RH-RELEASE-DRIFT",
    title: "The values files are not what the live release was made with",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "A file sets another value than the release has, or the release has values that no file sets.",
    why: "The release was changed with --set or from another checkout, or the files were changed and not deployed.",
    who: APPS,
    mend: "Decide which is right. Put into the files what shall stay, and deploy them once that is so: the next deployment takes the \
           files' values.",
    check: INSPECT,
};

pub(super) static APP_IMPLICIT: Story = Story {
    code: "RH-APP-IMPLICIT",
    title: "The package registry is on only because that is the default",
    layer: Layer::Application,
    severity: Severity::Info,
    hop: "cluster",
    seen: "The app.ini has no `ENABLED` in a section `[packages]`, or no explicit limit for container images.",
    why: "Nobody has written down that the registry is meant to be on, so a changed default or a copied file turns it off unnoticed.",
    who: APPS,
    mend: "Set `gitea.config.packages.ENABLED: true` and `LIMIT_SIZE_CONTAINER: -1`, or the limit that is meant, in a values file.",
    check: INSPECT,
};

pub(super) static APP_UNITS: Story = Story {
    code: "RH-APP-UNITS",
    title: "Packages are turned off for all repositories",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "`[repository] DISABLED_REPO_UNITS` has `repo.packages`.",
    why: "Somebody turned the unit off, so that packages are not shown with the repository that they belong to.",
    who: APPS,
    mend: "Take `repo.packages` out of DISABLED_REPO_UNITS.",
    check: INSPECT,
};

pub(super) static APP_ROOT_URL: Story = Story {
    code: "RH-APP-ROOT-URL",
    title: "ROOT_URL is not the https address of the registry's host",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "`[server] ROOT_URL` begins with http://, or names another host than images do.",
    why: "The forge writes it into links and, where no proxy tells it better, into the realm that logins go to.",
    who: APPS,
    mend: "Set `gitea.config.server.ROOT_URL` to `https://HOST/`.",
    check: "The challenge of `https://HOST/v2/` names a realm that begins with https://.",
};

pub(super) static ROUTE_ABSENT: Story = Story {
    code: "RH-ROUTE-ABSENT",
    title: "Nothing in the cluster leads /v2/ of the host to the registry",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "cluster",
    seen: "No Ingress, IngressRoute or HTTPRoute has the host and a path that `/v2/` falls under, with the registry's service behind it.",
    why: "The forge is reached by a port of the nodes or a tunnel, or only a sub-path of the host is routed.",
    who: CLUSTER,
    mend: "Route `/v2` at the root of HOST to the forge's HTTP service. `railhead enable` writes the manifest.",
    check: "`curl -si https://HOST/v2/` answers 401 with `Www-Authenticate: Bearer`.",
};

pub(super) static ROUTE_BACKEND: Story = Story {
    code: "RH-ROUTE-BACKEND",
    title: "A route leads to a service that is not there or has nothing behind it",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The service that a route of the host names does not exist, lacks the port, or has no ready pod.",
    why: "A name, a namespace or a port was changed on one side only, or the pods are not ready.",
    who: CLUSTER,
    mend: "Name the forge's HTTP service and its port in the route, and see to it that its pods are ready.",
    check: INSPECT,
};

pub(super) static ROUTE_NODE_PORT: Story = Story {
    code: "RH-ROUTE-NODEPORT",
    title: "The forge answers without TLS at a port of every node",
    layer: Layer::Network,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "The forge's HTTP service is of the type NodePort or LoadBalancer.",
    why: "It was the way in before there was an ingress. Logins on it can be read by everybody on the way.",
    who: "Who runs the network in front of the nodes, with who owns the forge's release.",
    mend: "When everybody has moved to https, make the service ClusterIP, or close the port for all but the nodes.",
    check: INSPECT,
};

pub(super) static TLS_ROUTE: Story = Story {
    code: "RH-TLS-ROUTE",
    title: "The route to the registry has no certificate",
    layer: Layer::Tls,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "The route of `/v2/` names no certificate for the host.",
    why: "Nobody gave it one; what clients see is the ingress controller's default certificate, or plain HTTP.",
    who: CLUSTER,
    mend: "Give the route a TLS section with the host and a secret, from cert-manager's issuer or an existing one.",
    check: "`curl -si https://HOST/v2/` verifies without -k.",
};

pub(super) static TLS_SECRET: Story = Story {
    code: "RH-TLS-SECRET",
    title: "A route names a certificate that is not there or cannot be read",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The secret of the route's TLS section does not exist, or holds no certificate.",
    why: "It was not issued yet, is in another namespace, or was deleted.",
    who: CLUSTER,
    mend: "Make the secret, or see why cert-manager does not: `kubectl describe certificate`.",
    check: INSPECT,
};

pub(super) static TLS_ISSUE: Story = Story {
    code: "RH-TLS-ISSUE",
    title: "cert-manager cannot issue the certificate",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The condition `Ready` of the Certificate is not true; its message tells why.",
    why: "The issuer is missing or not ready, the authority cannot reach the host, or a limit of the authority is reached.",
    who: CLUSTER,
    mend: "Read the condition in the evidence and `kubectl describe certificaterequest,order,challenge`, and mend what they name.",
    check: "`kubectl get certificate` says True.",
};

pub(super) static STORAGE_EPHEMERAL: Story = Story {
    code: "RH-STORAGE-EPHEMERAL",
    title: "Package data is lost with the pod",
    layer: Layer::Storage,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The directory of the packages is on no volume, or on an emptyDir.",
    why: "Persistence is off in the chart's values, or `[packages] PATH` leads out of the volume.",
    who: APPS,
    mend: "Keep the directory on a volume claim, or keep packages in S3; move what is there before the next restart.",
    check: INSPECT,
};

pub(super) static STORAGE_NODE: Story = Story {
    code: "RH-STORAGE-NODE",
    title: "The only copy of the package data is on one node's disk",
    layer: Layer::Storage,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "The volume is a directory of a node (hostPath, local, or a class like local-path).",
    why: "Such a volume is lost with the node, cannot move, and its size is a wish that nothing enforces.",
    who: PLATFORM,
    mend: "Back it up to somewhere else, or move to a class that keeps more than one copy.",
    check: INSPECT,
};

pub(super) static STORAGE_SHARED: Story = Story {
    code: "RH-STORAGE-SHARED",
    title: "Packages and Git repositories share one volume",
    layer: Layer::Storage,
    severity: Severity::Info,
    hop: "cluster",
    seen: "The directories of packages and of repositories are on the same claim.",
    why: "That is the chart's default. Images that fill the volume stop Git as well.",
    who: PLATFORM,
    mend: "Decide on retention before many tags are published, and watch the volume.",
    check: INSPECT,
};

pub(super) static STORAGE_FILLS: Story = Story {
    code: "RH-STORAGE-FILLS",
    title: "The volume of the package data is nearly full, or will be soon",
    layer: Layer::Storage,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "More than four fifths are used, or at the growth between two inspections it is full within thirty days.",
    why: "Images are published faster than they are let go.",
    who: PLATFORM,
    mend: "Make the volume larger, or let images go by rules: `railhead retention plan`.",
    check: INSPECT,
};

pub(super) static BACKUP_NONE: Story = Story {
    code: "RH-BACKUP-NONE",
    title: "Nothing in the cluster backs up the package data",
    layer: Layer::Storage,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "There is no CronJob, Velero schedule, volume snapshot or scheduled database backup at all.",
    why: "Nobody has made one, or it runs outside of the cluster, where an inspection does not see it.",
    who: PLATFORM,
    mend: "Back up volume and database together, somewhere else, and try a restore: `railhead backup` and `railhead restore --drill` for \
           images.",
    check: "`railhead inspect` names what covers the package data.",
};

pub(super) static BACKUP_PARTLY: Story = Story {
    code: "RH-BACKUP-PARTLY",
    title: "There are backups, and none of them has the package data",
    layer: Layer::Storage,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "What is scheduled does not reach the volume or the bucket with the packages; the evidence says why for each.",
    why: "Backups were made for the database or for other namespaces, or they pass over volumes of this kind.",
    who: PLATFORM,
    mend: "Let one of them take the volume in, or add `railhead backup` for the images, and try a restore.",
    check: "`railhead inspect` names what covers the package data.",
};

pub(super) static BACKUP_FAILED: Story = Story {
    code: "RH-BACKUP-FAILED",
    title: "A backup has not worked when it last ran, or never ran",
    layer: Layer::Storage,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "The last run of a scheduled backup failed, it is suspended, or no run of it has ever ended well.",
    why: "Its job fails, its place is full or refuses, or it was turned off and forgotten.",
    who: PLATFORM,
    mend: "Read the log of the last run, mend what it names, and run it once by hand.",
    check: INSPECT,
};

pub(super) static DATABASE_DOWN: Story = Story {
    code: "RH-DATABASE-DOWN",
    title: "The forge's database is not whole",
    layer: Layer::Database,
    severity: Severity::Error,
    hop: "cluster",
    seen: "The Postgres cluster is not ready, or fewer instances are ready than there should be.",
    why: "An instance does not start, has no room, or is being replaced.",
    who: PLATFORM,
    mend: "Read the conditions in the evidence and the operator's log, and mend what they name.",
    check: INSPECT,
};

pub(super) static DATABASE_BACKUP: Story = Story {
    code: "RH-DATABASE-BACKUP",
    title: "The forge's database has no backup that worked",
    layer: Layer::Database,
    severity: Severity::Warning,
    hop: "cluster",
    seen: "No backup of the database is known to have ended well. Package data without its database names nothing.",
    why: "Nobody has scheduled one, or all of them failed.",
    who: PLATFORM,
    mend: "Schedule a backup of the database to somewhere else, and try a restore together with the package data.",
    check: INSPECT,
};
