//! Gitea, Forgejo, Railhead, distribution, Harbor: what is behind.

use super::Ground;
use crate::Software;

/// A block for what is behind, or for the likely ones.
fn by(ground: &Ground<'_>, block: impl Fn(Software) -> Option<String>) -> Vec<String> {
    let likely = match ground.software {
        Some(Software::Registry) | None => vec![Software::Gitea, Software::Distribution],
        Some(software) => vec![software],
    };
    likely.into_iter().filter_map(block).collect()
}

/// One setting of Gitea and Forgejo, as `app.ini` and as Helm values.
fn setting(software: Software, section: &str, name: &str, value: &str) -> String {
    let forge = software.name();
    let quoted = if value.contains(':') { format!("\"{value}\"") } else { value.to_owned() };
    format!(
        "# app.ini of {forge}; restart it after that\n[{section}]\n{name} = {value}\n\n\
         # or Helm values of its chart\ngitea:\n  config:\n    {section}:\n      {name}: {quoted}"
    )
}

/// The address that clients use.
pub(super) fn address(ground: &Ground<'_>) -> Vec<String> {
    let authority = ground.authority();
    by(ground, |software| {
        Some(match software {
            Software::Gitea | Software::Forgejo => {
                setting(software, "server", "ROOT_URL", &format!("https://{authority}/"))
            }
            Software::Railhead => format!(
                "# railhead.toml: the name that clients use, and whose X-Forwarded-… headers count\nhosts = [\"{authority}\"]\ntrusted_proxies = [\"<address-of-the-proxy>\"]"
            ),
            Software::Harbor => format!(
                "# harbor.yml, then ./prepare and restart; or Helm values\nexternal_url: https://{authority}\n\n# Helm values of the chart harbor\nexternalURL: https://{authority}"
            ),
            Software::Distribution | Software::Registry => format!(
                "# config.yml of distribution: the address that clients use\nhttp:\n  host: https://{authority}\n  relativeurls: true\n# and, with a token service\nauth:\n  token:\n    realm: https://{authority}/<path-of-the-token-service>\n    service: {authority}"
            ),
        })
    })
}

/// Packages turned on.
pub(super) fn packages(ground: &Ground<'_>) -> Vec<String> {
    let software = ground.software.filter(|software| software.is_forge()).unwrap_or(Software::Gitea);
    let values = setting(software, "packages", "ENABLED", "true");
    vec![format!(
        "{values}\n\n# apply the values\nhelm upgrade {release} <chart> -n {namespace} --reuse-values -f <values.yaml>",
        release = ground.release(),
        namespace = ground.namespace(),
    )]
}

/// Where the reason is.
pub(super) fn logs(ground: &Ground<'_>) -> Vec<String> {
    let (namespace, word) = (ground.namespace(), ground.service_word());
    vec![format!(
        "# the log of the application\nkubectl -n {namespace} logs deploy/{} --since=10m | tail -50\n# or\njournalctl -u {word} --since -10min",
        ground.place.names.release.clone().unwrap_or_else(|| word.to_owned()),
    )]
}

/// More room.
pub(super) fn room(ground: &Ground<'_>) -> Vec<String> {
    let namespace = ground.namespace();
    vec![format!(
        "# how full is it?\nkubectl -n {namespace} exec deploy/{} -- df -h /data\n# make it larger, where the storage class allows it\nkubectl -n {namespace} patch pvc <claim> -p '{{\"spec\":{{\"resources\":{{\"requests\":{{\"storage\":\"<size>Gi\"}}}}}}}}'",
        ground.place.names.release.clone().unwrap_or_else(|| ground.service_word().to_owned()),
    )]
}

/// A login for everybody.
pub(super) fn login(ground: &Ground<'_>) -> Vec<String> {
    by(ground, |software| {
        match software {
        Software::Distribution | Software::Registry => Some(
            "# config.yml of distribution\nauth:\n  htpasswd:\n    realm: registry\n    path: /etc/distribution/htpasswd   # htpasswd -nB <account> >> htpasswd"
                .to_owned(),
        ),
        Software::Gitea | Software::Forgejo => Some(setting(software, "service", "REQUIRE_SIGNIN_VIEW", "true")),
        Software::Railhead | Software::Harbor => None,
    }
    })
}

/// A token that may read and write.
pub(super) fn token(ground: &Ground<'_>) -> Vec<String> {
    let (account, owner, authority) = (ground.account(), ground.owner(), ground.authority());
    let then =
        format!("# then\nprintf %s \"$TOKEN\" | docker login {authority} -u {account} --password-stdin");
    by(ground, |software| {
        let make = match software {
            Software::Gitea | Software::Forgejo => format!(
                "# a token with the scope for packages: Settings → Applications, or on the server\n{word} admin user generate-access-token --username {account} --token-name registry --scopes write:package --raw\n# {account} has to be {owner}, or in a team of {owner} that may write packages",
                word = if software == Software::Gitea { "gitea" } else { "forgejo" },
            ),
            Software::Railhead => format!(
                "# a token that may pull and push\nrailhead token create --user {account} --scope pull push\n# {account} has to be {owner}, or a member of it\nrailhead org member {owner} {account} writer"
            ),
            Software::Harbor => format!(
                "# a robot account with the rights pull and push in the project {owner}: Projects → {owner} → Robot Accounts"
            ),
            Software::Distribution | Software::Registry => format!(
                "# htpasswd of distribution: bcrypt only\nhtpasswd -nB {account} >> <file-of-auth.htpasswd.path>"
            ),
        };
        Some(format!("{make}\n{then}"))
    })
}

/// What issuer and registry have to share.
pub(super) fn secrets(ground: &Ground<'_>) -> Vec<String> {
    let ask = format!(
        "# does the registry itself take the token? If so, what is in front removes Authorization\ncurl -si http://{}/v2/ -H 'Host: {}' -H \"Authorization: Bearer $JWT\"",
        ground.upstream(),
        ground.authority(),
    );
    let mut blocks = by(ground, |software| {
        match software {
        Software::Gitea | Software::Forgejo => Some(format!(
            "# app.ini of {}: the same in every replica\n[security]\nSECRET_KEY = <the-same-everywhere>\n[oauth2]\nJWT_SECRET = <the-same-everywhere>",
            software.name()
        )),
        Software::Distribution => Some(
            "# config.yml of distribution has to name the token service as it names itself\nauth:\n  token:\n    issuer: <iss-of-its-tokens>\n    service: <aud-of-its-tokens>\n    rootcertbundle: <certificate-of-its-key>"
                .to_owned(),
        ),
        Software::Railhead | Software::Harbor | Software::Registry => None,
    }
    });
    blocks.push(ask);
    blocks
}

/// The owner made.
pub(super) fn owner(ground: &Ground<'_>) -> Vec<String> {
    let (account, owner, authority) = (ground.account(), ground.owner(), ground.authority());
    by(ground, |software| match software {
        Software::Gitea | Software::Forgejo => Some(format!(
            "# make the organisation, as an account that may\ncurl -s -u {account} https://{authority}/api/v1/orgs -H 'Content-Type: application/json' -d '{{\"username\":\"{owner}\"}}'"
        )),
        Software::Railhead => Some(format!(
            "# make the organisation\nrailhead org create {owner}\nrailhead org member {owner} {account} writer"
        )),
        Software::Harbor => Some(format!("# make the project {owner}: Projects → New Project")),
        Software::Distribution | Software::Registry => None,
    })
}

/// More for the owner.
pub(super) fn quota(ground: &Ground<'_>) -> Vec<String> {
    let owner = ground.owner();
    by(ground, |software| match software {
        Software::Gitea | Software::Forgejo => {
            Some(setting(software, "packages", "LIMIT_TOTAL_OWNER_SIZE", "-1"))
        }
        Software::Railhead => Some(format!(
            "# what {owner} may store\nrailhead owner limits {owner}\nrailhead owner limits {owner} --quota <size>GiB"
        )),
        Software::Harbor => Some(format!("# the project's quota: Administration → Project Quotas → {owner}")),
        Software::Distribution | Software::Registry => None,
    })
}

/// Writing allowed again.
pub(super) fn writable(ground: &Ground<'_>) -> Vec<String> {
    by(ground, |software| {
        match software {
        Software::Distribution | Software::Registry => Some(
            "# config.yml of distribution: neither of these may be there\nstorage:\n  maintenance:\n    readonly:\n      enabled: false\n# proxy:\n#   remoteurl: …     makes it a mirror, which takes no pushes"
                .to_owned(),
        ),
        Software::Harbor => Some("# Administration → Configuration → System Settings → Repository Read Only: off".to_owned()),
        Software::Gitea | Software::Forgejo | Software::Railhead => None,
    }
    })
}

/// Layers of any size.
pub(super) fn layer_size(ground: &Ground<'_>) -> Vec<String> {
    by(ground, |software| match software {
        Software::Gitea | Software::Forgejo => {
            Some(setting(software, "packages", "LIMIT_SIZE_CONTAINER", "-1"))
        }
        Software::Railhead => Some(format!(
            "# how large a layer of {owner} may be; -1 is no limit\nrailhead owner limits {owner} --layer -1",
            owner = ground.owner()
        )),
        Software::Distribution | Software::Registry | Software::Harbor => None,
    })
}
