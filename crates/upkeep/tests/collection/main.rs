//! Collection as a whole: registry, catalog and store together, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod history;
mod objects;
mod world;

railhead_catalog::on_both_databases! {
    history: promises_are_kept_and_nothing_is_left;
    objects: a_hold_keeps_objects_and_its_end_lets_them_go, an_object_that_cannot_be_removed_is_tried_again,
        a_kill_between_forgetting_and_removing_leaves_nothing, a_reader_of_what_was_taken_is_told_that_it_is_gone,
        an_answer_from_memory_keeps_its_promise, two_replicas_share_the_work;
}
