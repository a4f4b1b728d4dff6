//! Retention as a whole: rules, catalog, registry, collection and store together, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
#[path = "../collect/world.rs"]
#[expect(dead_code, reason = "shared with the tests of collection")]
mod world;

/// Makes a test of each case for each database.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::cases::$case(&railhead_catalog::testing::Place::sqlite().unwrap()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(place) = railhead_catalog::testing::Place::postgres().unwrap() {
                    crate::cases::$case(&place).await;
                }
            })+
        }
    };
}

on_both! {
    what_the_plan_says_is_what_becomes_free, an_undone_plan_pulls_as_before, one_image_comes_back_alone,
    a_world_that_has_moved_is_left_alone, the_trash_outlives_other_deletions, the_trash_ends_by_itself,
    a_clock_that_has_leapt_is_not_believed, a_pull_keeps_an_image,
}
