//! Retention as a whole: rules, catalog, registry, collection and store together, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod seen;
mod timer;
#[path = "../collection/world.rs"]
#[expect(dead_code, reason = "shared with the tests of collection")]
mod world;

railhead_catalog::on_both_databases! {
    cases: what_the_plan_says_is_what_becomes_free, an_undone_plan_pulls_as_before, one_image_comes_back_alone,
    a_world_that_has_moved_is_left_alone, the_trash_outlives_other_deletions, the_trash_ends_by_itself,
    a_clock_that_has_leapt_is_not_believed, a_pull_keeps_an_image;
    timer: the_turn_comes_once_for_all_replicas_and_survives_a_restart, a_clock_that_is_set_back_delays_the_turn,
        the_trash_outlives_a_clock_that_leaps, the_trash_waits_for_a_registry_that_sees_something;
    seen: what_owners_share_is_freed_by_neither_and_what_is_not_asked_for_is_not_read,
        a_forecast_counts_shared_bytes_once, rules_that_would_delete_everything_lose_nothing;
}
