//! The contract of the catalog, kept by SQLite and by Postgres: each case runs on both.
#![expect(clippy::unwrap_used, reason = "a test")]

mod accounts;
mod blobs;
mod collection;
mod concurrency;
mod damage;
mod forge;
mod history;
mod manifests;
mod reopen;
mod repositories;
mod rest;
mod support;
mod uploads;

railhead_catalog::on_both_databases! {
    accounts: names_are_unique_in_any_case, users_change, members_come_and_go, owners_are_deleted_when_empty,
        tokens_are_found_by_hash, the_generation_grows_with_every_change_of_rights;
    repositories: repositories_are_made_on_demand, repositories_are_listed_bytewise,
        a_deleted_repository_frees_what_only_it_had;
    blobs: a_commit_binds_links_and_counts, the_last_commit_wins_and_heals, a_blob_is_found_by_its_object,
        a_blob_counts_once_for_an_owner,
        a_mount_needs_the_source, an_unlinked_blob_is_freed_by_the_last_repository, a_quota_holds;
    uploads: an_upload_moves_only_from_where_it_is, reservations_come_back, a_commit_ends_its_upload,
        uploads_are_listed;
    manifests: a_manifest_needs_its_references, a_manifest_is_found_by_tag_and_digest, putting_again_changes_nothing,
        frozen_tags_do_not_move, moved_tags_are_remembered, a_deleted_manifest_takes_its_tags,
        referrers_are_filtered_and_paged, tags_are_paged, a_manifest_counts_for_the_quota;
    collection: a_link_goes_when_its_time_has_come, a_lease_is_only_ever_prolonged,
        what_a_manifest_needs_stays_until_the_last_one_goes, what_came_behind_its_manifest_is_needed,
        a_blob_goes_with_its_last_link, a_forgotten_object_is_given_out_until_it_is_struck_out,
        shares_are_told_apart_and_wrong_sums_set_right, a_hold_is_in_force_until_it_is_released_or_ends, a_blob_is_needed_or_taken_never_both;
    damage: damage_is_noted_until_the_blob_is_whole_or_gone, a_damaged_blob_tells_who_refers_to_it,
        blobs_are_listed_by_scope, objects_that_nobody_knows_are_found, the_scrub_has_one_holder_and_goes_on;
    forge: an_owner_of_the_forge_is_known_by_its_number, a_repository_follows_the_forge_until_somebody_decides,
        a_former_name_is_known_until_somebody_has_it,
        an_owner_can_be_given_to_who_has_its_name_on_the_forge;
    rest: settings_are_written_once, the_audit_is_newest_first, a_closed_catalog_says_so, a_ping_is_answered;
    concurrency: one_digest_from_many_tasks, a_quota_is_exact_under_concurrency, tags_and_usage_under_contention,
        a_blob_is_freed_or_linked_never_both;
    reopen: what_was_answered_is_there, a_newer_schema_is_refused;
    history: any_history_agrees_with_the_model;
}
