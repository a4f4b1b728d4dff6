//! Accounts, tokens, roles.

use super::{Severity, Story};
use crate::Layer;

const WHO: &str = "Who owns accounts and access: the owner of the account, or an administrator of the forge.";
const CHECK: &str = "`railhead doctor HOST --user NAME --repository OWNER/IMAGE` finds nothing.";

pub(super) static TOKEN_INVALID: Story = Story {
    code: "RH-TOKEN-INVALID",
    title: "The token endpoint gives no token",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "token",
    seen: "200 without `token` and `access_token`, or something that is not JSON. Clients print `authorization server did not \
           include a token in the response`.",
    why: "The realm leads to something else than a token service, or its configuration is incomplete.",
    who: "Who runs the forge or the registry: its configuration and its release.",
    mend: "Let the realm name the registry's own token service.",
    check: "`curl -s -u NAME REALM` prints JSON with `token`.",
};

pub(super) static TOKEN_ONE_NAME: Story = Story {
    code: "RH-TOKEN-ONE-NAME",
    title: "The token comes only as access_token",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "token",
    seen: "`access_token` without `token`. Older versions of Docker and other clients read only `token`.",
    why: "The token service speaks OAuth 2 and not the registry's older habit.",
    who: "Who runs the forge or the registry: its configuration and its release.",
    mend: "Answer with both names, with the same value.",
    check: "`curl -s -u NAME REALM` prints JSON with `token` and `access_token`.",
};

pub(super) static REFUSED: Story = Story {
    code: "RH-AUTH-REFUSED",
    title: "The login is refused",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "token",
    seen: "401 or 403 for name and token. Clients print `unauthorized: authentication required` or `denied`.",
    why: "The name or the token is wrong, the token is expired or revoked, it lacks the scope for packages, or the account \
          has two-factor login and the password was used instead of a token.",
    who: WHO,
    mend: "Make a token with a scope for packages, and use it as the password.",
    check: "`docker login HOST -u NAME` succeeds with it.",
};

pub(super) static STALE: Story = Story {
    code: "RH-AUTH-STALE",
    title: "A refused login keeps out of what everybody may pull",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "token",
    seen: "Name and token are refused, and without them the repository can be read. containerd and kubelets send what they            have and do not try without: the pull of a public image fails with `401 Unauthorized`.",
    why: "The token was revoked or has expired, and a pull secret, a `registries.yaml` or a `config.json` still holds it. A           revoked credential is worse than none.",
    who: WHO,
    mend: "Take the credential away wherever it is still kept, or replace it by a valid one.",
    check: "`docker logout HOST && docker pull HOST/OWNER/IMAGE` works; `railhead doctor HOST` without `--user` finds nothing.",
};

pub(super) static TOKEN_REFUSED: Story = Story {
    code: "RH-AUTH-TOKEN-REFUSED",
    title: "The registry refuses the token that it has just issued",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "login",
    seen: "The token endpoint gives a token, and `/v2/` answers 401 to it. `docker login` fails after the right password.",
    why: "Token service and registry do not share key, issuer or service name; clocks differ; several replicas have different \
          secrets; or something in front of every route removes the `Authorization` header.",
    who: WHO,
    mend: "Give the token service and all replicas of the registry the same secret, issuer and service name, and compare \
           their clocks. Then ask the registry directly: if it takes the token there, what is in front removes it.",
    check: "`railhead doctor HOST --user NAME` logs in.",
};

pub(super) static READ: Story = Story {
    code: "RH-AUTH-READ",
    title: "The account may not read the repository",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "read",
    seen: "Login works, and listing tags is denied. Clients print `denied: requested access to the resource is denied`.",
    why: "The token lacks the scope to read packages, or the account has no right on this owner.",
    who: WHO,
    mend: "Make a token with the scope, or give the account a role at the owner.",
    check: CHECK,
};

pub(super) static WRITE: Story = Story {
    code: "RH-AUTH-WRITE",
    title: "The account may not push",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "write",
    seen: "Login and reading work, and an upload is denied. Clients print `denied: requested access to the resource is denied`.",
    why: "The token has only the scope to read, or the account's role at the owner is only to read.",
    who: WHO,
    mend: "Make a token with the scope to write packages, or give the account a role that may.",
    check: CHECK,
};

pub(super) static OWNER: Story = Story {
    code: "RH-AUTH-OWNER",
    title: "The owner does not exist",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "write",
    seen: "The registry does not know the first segment of the repository's name, or does not allow the name.",
    why: "The user or organisation is spelt differently, was renamed, or was never made. A forge does not make one by a push.",
    who: WHO,
    mend: "Use the name of an existing user or organisation, or make it first.",
    check: CHECK,
};

pub(super) static QUOTA: Story = Story {
    code: "RH-AUTH-QUOTA",
    title: "The owner's quota is used up",
    layer: Layer::Identity,
    severity: Severity::Error,
    hop: "write",
    seen: "An upload is denied, and the registry says that a quota or a size limit of the owner is reached.",
    why: "The owner stores as much as it may.",
    who: WHO,
    mend: "Delete what nobody needs, or raise the quota.",
    check: CHECK,
};
