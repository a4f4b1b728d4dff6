//! Principals × repositories × actions.

use std::fmt::Write as _;

use railhead_access::{Action, Decision, Reason};
use railhead_catalog::Visibility;

use crate::world::{World, repository};

const REPOSITORIES: [&str; 6] =
    ["team/public", "team/private", "team/missing", "alice/private", "alice/missing", "nobody/missing"];

/// One line for each principal and repository: pull, push, delete, admin.
async fn table(world: &World) -> String {
    let mut principals = vec![("anonymous", world.access.anonymous())];
    for name in ["bob", "alice", "read", "write", "own", "root"] {
        principals.push((name, world.account(name).await));
    }
    principals.push(("operator", world.access.operator()));
    let mut table = String::new();
    for (name, who) in principals {
        for repository in REPOSITORIES {
            write!(table, "{name:<9} {repository:<14}").unwrap();
            for action in Action::ALL {
                write!(table, " {}", world.decide(&who, action, repository).await).unwrap();
            }
            table.push('\n');
        }
    }
    table
}

const EXPECTED: &str = "\
anonymous team/public    yes unauthenticated unauthenticated unauthenticated
anonymous team/private   unauthenticated unauthenticated unauthenticated unauthenticated
anonymous team/missing   unauthenticated unauthenticated unauthenticated unauthenticated
anonymous alice/private  unauthenticated unauthenticated unauthenticated unauthenticated
anonymous alice/missing  unauthenticated unauthenticated unauthenticated unauthenticated
anonymous nobody/missing unauthenticated unauthenticated unauthenticated unauthenticated
bob       team/public    yes role role role
bob       team/private   visibility role visibility visibility
bob       team/missing   visibility role visibility visibility
bob       alice/private  visibility role visibility visibility
bob       alice/missing  visibility role visibility visibility
bob       nobody/missing visibility owner visibility visibility
alice     team/public    yes role role role
alice     team/private   visibility role visibility visibility
alice     team/missing   visibility role visibility visibility
alice     alice/private  yes yes yes yes
alice     alice/missing  yes yes yes yes
alice     nobody/missing visibility owner visibility visibility
read      team/public    yes role role role
read      team/private   yes role role role
read      team/missing   yes role role role
read      alice/private  visibility role visibility visibility
read      alice/missing  visibility role visibility visibility
read      nobody/missing visibility owner visibility visibility
write     team/public    yes yes role role
write     team/private   yes yes role role
write     team/missing   yes yes role role
write     alice/private  visibility role visibility visibility
write     alice/missing  visibility role visibility visibility
write     nobody/missing visibility owner visibility visibility
own       team/public    yes yes yes yes
own       team/private   yes yes yes yes
own       team/missing   yes yes yes yes
own       alice/private  visibility role visibility visibility
own       alice/missing  visibility role visibility visibility
own       nobody/missing visibility owner visibility visibility
root      team/public    yes yes yes yes
root      team/private   yes yes yes yes
root      team/missing   yes yes yes yes
root      alice/private  yes yes yes yes
root      alice/missing  yes yes yes yes
root      nobody/missing yes owner yes yes
operator  team/public    yes yes yes yes
operator  team/private   yes yes yes yes
operator  team/missing   yes yes yes yes
operator  alice/private  yes yes yes yes
operator  alice/missing  yes yes yes yes
operator  nobody/missing yes yes yes yes
";

#[tokio::test]
async fn everybody_may_what_the_rules_say() {
    let world = World::new().await;
    let found = table(&world).await;
    for (expected, found) in EXPECTED.lines().zip(found.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), EXPECTED.lines().count());
    assert_eq!(table(&world).await, found, "remembered answers are the same");
}

#[tokio::test]
async fn a_hidden_repository_answers_word_for_word_as_a_missing_one() {
    let world = World::new().await;
    for who in [world.access.anonymous(), world.account("bob").await] {
        for action in Action::ALL {
            let mut answers = Vec::new();
            for name in ["team/private", "team/missing"] {
                let decision = world.access.decide(&who, action, &repository(name)).await.unwrap();
                let Decision::Denied(denial) = decision else { panic!("{name}") };
                answers.push(format!("{denial:?}").replace("private", "missing"));
            }
            assert_eq!(answers[0], answers[1]);
        }
    }
}

#[tokio::test]
async fn a_token_narrows_its_account_and_never_widens_it() {
    let world = World::new().await;
    for (user, scopes, action, name, expected) in [
        ("own", &["pull"][..], Action::Pull, "team/private", "yes"),
        ("own", &["pull"], Action::Push, "team/private", "token-scope"),
        ("own", &["push:team"], Action::Push, "team/new/app", "yes"),
        ("own", &["push:team"], Action::Delete, "team/private", "token-scope"),
        ("own", &["push:team/priv*"], Action::Push, "team/private", "yes"),
        ("own", &["push:team/priv*"], Action::Push, "team/other", "token-scope"),
        ("own", &["push:own"], Action::Pull, "team/private", "token-scope"),
        ("own", &["push:own"], Action::Pull, "team/public", "yes"),
        ("own", &["delete:team", "push:team"], Action::Delete, "team/private", "yes"),
        ("own", &["admin"], Action::Admin, "team/private", "yes"),
        ("read", &["admin"], Action::Push, "team/private", "role"),
        ("bob", &["admin"], Action::Pull, "team/private", "visibility"),
        ("root", &["pull:alice"], Action::Pull, "alice/private", "yes"),
        ("root", &["pull:alice"], Action::Pull, "team/private", "token-scope"),
    ] {
        let (_, secret) = world.token(user, scopes).await;
        let who = world.login(&format!("Bearer {secret}")).await.unwrap();
        assert_eq!(world.decide(&who, action, name).await, expected, "{user} {scopes:?} {action} {name}");
    }
}

#[tokio::test]
async fn a_bearer_token_grants_what_was_asked_for_and_allowed() {
    let world = World::new().await;
    let write = world.account("write").await;
    let asked = [
        "repository:team/private:pull,push,delete repository:alice/private:pull",
        "repository:nonsense:pull",
        "thing:x:y",
    ];
    let scopes = railhead_oci::Scope::parse_all(asked);
    let issued = world.access.issue(&write, &scopes).await.unwrap();
    let granted: Vec<_> = issued.granted.iter().map(ToString::to_string).collect();
    assert_eq!(granted, ["repository:team/private:pull,push"]);
    assert_eq!(issued.expires_in, 300);

    let who = world.login(&format!("Bearer {}", issued.token)).await.unwrap();
    assert_eq!(who.name(), "write");
    for (action, name, expected) in [
        (Action::Push, "team/private", "yes"),
        (Action::Push, "team/missing", "needs-scope"),
        (Action::Pull, "team/public", "yes"),
        (Action::Delete, "team/private", "role"),
        (Action::Pull, "alice/private", "visibility"),
    ] {
        assert_eq!(world.decide(&who, action, name).await, expected, "{action} {name}");
    }
    let again = world.access.issue(&who, &[]).await;
    assert_eq!(crate::world::denial(again).reason, Reason::Credentials, "no bearer token for a bearer token");
    world.pass(300);
    assert_eq!(world.decide(&who, Action::Push, "team/private").await, "credentials");
    assert!(world.login(&format!("Bearer {}", issued.token)).await.is_err());
}

#[tokio::test]
async fn nobody_gets_a_bearer_token_for_what_is_public() {
    let world = World::new().await;
    let anonymous = world.access.anonymous();
    let header = world
        .bearer(
            &anonymous,
            &["repository:team/public:pull,push", "repository:team/private:pull registry:catalog:*"],
        )
        .await;
    let who = world.login(&header).await.unwrap();
    assert!(who.is_anonymous() && who.is_bearer() && !who.may_list());
    assert_eq!(world.decide(&who, Action::Pull, "team/public").await, "yes");
    assert_eq!(world.decide(&who, Action::Push, "team/public").await, "unauthenticated");
    assert_eq!(world.decide(&who, Action::Pull, "team/private").await, "unauthenticated");
    world
        .access
        .set_visibility(&world.operator, &repository("team/public"), Visibility::Private)
        .await
        .unwrap();
    assert_eq!(world.decide(&who, Action::Pull, "team/public").await, "unauthenticated", "at once");
}

#[tokio::test]
async fn the_catalog_scope_lists_what_the_account_may_pull() {
    let world = World::new().await;
    let read = world.account("read").await;
    let header = world.bearer(&read, &["registry:catalog:*"]).await;
    let listing = world.login(&header).await.unwrap();
    let narrow = world.login(&world.bearer(&read, &[]).await).await.unwrap();
    for (name, expected) in [("team/private", true), ("team/public", true), ("alice/private", false)] {
        assert_eq!(world.access.may_see(&listing, &repository(name)).await.unwrap(), expected, "{name}");
    }
    assert!(!world.access.may_see(&narrow, &repository("team/private")).await.unwrap());
    assert_eq!(
        world.decide(&listing, Action::Pull, "team/private").await,
        "needs-scope",
        "seeing is not pulling"
    );
}
