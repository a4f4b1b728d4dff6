//! Writes the page: what a team has to know to publish and pull images, and nothing that it would have to find out.

use std::fmt::Write as _;

use railhead_doctor::Layer;

use super::facts::{Facts, HandoffError};
use crate::prove::TrustNeeded;
use crate::site::{Forge, Visibility};

/// The page as Markdown, with its facts in a comment at the end.
pub fn page(facts: &Facts) -> Result<String, HandoffError> {
    let sections = [head(facts), log_in(facts), publish(facts), pull(facts), trust(facts), rest(facts)];
    Ok(format!("{}\n{}\n", sections.concat(), facts.comment()?))
}

fn head(facts: &Facts) -> String {
    let name = facts.site.as_deref().unwrap_or(&facts.host);
    let (proven, written) = (day(facts.proven), day(facts.written));
    let rows = [
        ("Registry host", code(&facts.host)),
        ("Server", plain(facts.server.as_deref().unwrap_or("it does not say"))),
        ("Images are named", code(&facts.naming)),
        ("Proven image", code(&facts.image())),
        ("Its digest", code(&facts.digest.to_string())),
        ("Its platforms", plain(&facts.platforms.join(", "))),
        ("Where it is from", plain(facts.origin.as_deref().unwrap_or("not known"))),
        ("Who may pull", visibility(facts).to_owned()),
        ("Certificate", trust_words(facts)),
    ];
    let mut text = format!(
        "# Container registry: {}\n\nWritten by `railhead handoff` on {written}, from the proof of {proven}. \
         `railhead handoff --check FILE` proves again that all of it is true.\n\n| | |\n| --- | --- |\n",
        plain(name)
    );
    for (name, value) in rows {
        line(&mut text, &format!("| {name} | {value} |"));
    }
    text
}

fn visibility(facts: &Facts) -> &'static str {
    match facts.visibility {
        Some(Visibility::Public) => "everybody, without a login",
        Some(Visibility::Private) => "only who has logged in and may read it",
        None => "not known",
    }
}

fn trust_words(facts: &Facts) -> String {
    let until = facts
        .way
        .not_after
        .map_or_else(String::new, |until| format!(", valid at least until {}", day(until)));
    match facts.way.trust {
        None => "none: plain `http`, which everybody on the way can read".to_owned(),
        Some(TrustNeeded::System) => format!("trusted by systems as they are{until}"),
        Some(TrustNeeded::File) => format!("of a private authority, which has to be trusted first{until}"),
        Some(TrustNeeded::Broken) => "not trusted".to_owned(),
    }
}

fn log_in(facts: &Facts) -> String {
    let host = &facts.host;
    let owner = facts.repository.owner();
    let token = match facts.forge {
        Some(Forge::Gitea | Forge::Forgejo) => {
            "The password is an access token: on the forge, *Settings → Applications → Generate New Token*, with the \
             permission *package: Read and Write* to push (`write:package`), or *Read* to pull (`read:package`)."
                .to_owned()
        }
        Some(Forge::Railhead) => format!(
            "The password is a token. Whoever runs the registry makes one: `railhead token create --user NAME --scope \
             push:{owner} pull:{owner} --expires 365d`; to pull only, leave out `push:{owner}`."
        ),
        Some(Forge::Distribution | Forge::None) | None => {
            "Ask the owner of the layer *identity* below for an account.".to_owned()
        }
    };
    let pulling = match facts.visibility {
        Some(Visibility::Public) => " Pulling needs no login.",
        _ => "",
    };
    format!("\n## Log in\n\n```\ndocker login {host} -u NAME\n```\n\n{token}{pulling}\n")
}

fn publish(facts: &Facts) -> String {
    let (host, owner) = (&facts.host, facts.repository.owner());
    format!(
        "\n## Publish\n\n```\ndocker tag IMAGE {host}/{owner}/IMAGE:TAG\ndocker push {host}/{owner}/IMAGE:TAG\n```\n\n\
         The host stands alone before the owner: no scheme, no path. Names are lower case.\n"
    )
}

fn pull(facts: &Facts) -> String {
    let mut text = format!(
        "\n## Pull\n\n```\ndocker pull {}\n```\n\nIn a cluster, name the digest, so that what runs is what was tried:\n\n\
         ```yaml\nspec:\n  containers:\n    - name: app\n      image: {}\n```\n\n",
        facts.image(),
        facts.pinned()
    );
    let Some(secret) = &facts.pull_secret else {
        text.push_str("No `imagePullSecret` is needed: everybody may pull.\n");
        return text;
    };
    let namespace = secret.namespace.as_deref().unwrap_or("NAMESPACE");
    let (name, host) = (&secret.name, &facts.host);
    let _ = write!(
        text,
        "An `imagePullSecret` is needed, one in each namespace that pulls. With a token that may only read in \
         `RAILHEAD_TOKEN`:\n\n```\nrailhead pull-secret create {host} --user NAME --namespace {namespace} --name {name} | \
         kubectl apply -f -\n```\n\nand in the pod, or in its service account:\n\n```yaml\nspec:\n  imagePullSecrets:\n    - \
         name: {name}\n```\n"
    );
    text
}

fn trust(facts: &Facts) -> String {
    let host = &facts.host;
    match facts.way.trust {
        None => format!(
            "\n## Trust\n\nThe registry speaks plain `http`. Clients refuse that unless they are told: `insecure-registries` in \
             docker's `daemon.json`, `--tls-verify=false` with podman and skopeo, an `http://` endpoint for containerd. Tokens \
             can be read on the way to {host}.\n"
        ),
        Some(TrustNeeded::System) => {
            "\n## Trust\n\nNothing has to be done: workstations and nodes trust the certificate as they are.\n".to_owned()
        }
        Some(TrustNeeded::File | TrustNeeded::Broken) => {
            let issuer = plain(facts.way.issuer.as_deref().unwrap_or("unknown"));
            let pem = facts.way.authority.as_deref().unwrap_or("");
            format!(
                "\n## Trust\n\nThe certificate is signed by {issuer}. Every workstation and every node has to trust this \
                 authority:\n\n```\n{pem}```\n\n- docker: `/etc/docker/certs.d/{host}/ca.crt`\n- podman, skopeo, buildah: \
                 `/etc/containers/certs.d/{host}/ca.crt`\n- containerd: `ca = \"/etc/containerd/certs.d/{host}/ca.crt\"` in `hosts.toml` \
                 beside it\n- k3s: `configs.\"{host}\".tls.ca_file` in `/etc/rancher/k3s/registries.yaml`\n"
            )
        }
    }
}

fn rest(facts: &Facts) -> String {
    let mut text = String::from("\n## Known limits\n\n");
    let mut limits = facts.limits.clone();
    if let Some(connect) = &facts.way.connect {
        let (connect, url) = (code(connect), code(&facts.way.url));
        limits
            .push(format!("The proof went to {connect}, and not to the address that {url} has for others."));
    }
    if facts.forge == Some(Forge::Gitea) {
        limits.push(
            "When a tag is moved, Gitea drops the image that it named, also for clusters that name its digest. Give each \
             image a tag of its own."
                .to_owned(),
        );
    }
    if facts.features.referrers == Some(false) {
        limits.push(
            "The registry does not list referrers: signatures and SBOMs are found by the tag `sha256-…`."
                .to_owned(),
        );
    }
    if facts.features.delete == Some(false) {
        limits.push("Images cannot be deleted over the registry's protocol.".to_owned());
    }
    list(&mut text, &limits, "None are known.");
    text.push_str("\n## Where images come from\n\n");
    list(&mut text, &facts.provenance, "Nobody has said; `provenance` in the site file takes links.");
    text.push_str("\n## Whom to ask\n\n");
    let owned: Vec<_> = facts.owners.iter().collect();
    if owned.is_empty() {
        text.push_str("Nobody is named; `[owners]` in the site file takes them.\n");
        return text;
    }
    text.push_str("| when it is about | ask |\n| --- | --- |\n");
    for (layer, owner) in owned {
        line(&mut text, &format!("| {} | {} |", about(layer), plain(owner)));
    }
    text
}

const fn about(layer: Layer) -> &'static str {
    match layer {
        Layer::Application => "the registry itself, its configuration and release (application)",
        Layer::Routing => "paths, proxies, limits in front (routing)",
        Layer::Tls => "certificates (TLS)",
        Layer::Identity => "accounts, tokens, rights (identity)",
        Layer::Storage => "space and backups of the images (storage)",
        Layer::Database => "the database (database)",
        Layer::Network => "names, addresses, ports (network)",
        Layer::Client => "the workstation, node or pipeline that pushes or pulls (client)",
    }
}

fn list(text: &mut String, items: &[String], none: &str) {
    if items.is_empty() {
        line(text, none);
    }
    for item in items {
        line(text, &format!("- {}", item.replace('\n', " ")));
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

fn day(time: jiff::Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace(['`', '\n', '|'], " "))
}

/// Text in a cell of a table, which cannot end it.
fn plain(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::testing::facts;

    #[test]
    fn the_page_of_a_public_image() {
        insta::assert_snapshot!(page(&facts()).unwrap());
    }

    #[test]
    fn a_private_image_needs_a_secret_and_a_private_authority_trust() {
        let mut facts = facts();
        facts.visibility = Some(Visibility::Private);
        facts.pull_secret = Some(super::super::PullSecret {
            name: "registry-pull".to_owned(),
            namespace: Some("state-hub".to_owned()),
        });
        facts.way.trust = Some(TrustNeeded::File);
        facts.way.authority = Some("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n".to_owned());
        let page = page(&facts).unwrap();
        for part in [
            "pull-secret create git.example.com --user NAME --namespace state-hub --name registry-pull",
            "only who has logged in",
            "BEGIN CERTIFICATE",
            "/etc/docker/certs.d/git.example.com/ca.crt",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("No `imagePullSecret`"));
    }
}
