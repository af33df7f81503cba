//! The complete lists of the cases.

/// Calls a macro with the cases that need nodes in separate processes.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_process_cases {
    (($($callback:tt)*) $($context:tt)*) => {
        $($callback)*! {
            ($($context)*)
            processes {
                exclude_each_other
                one_of_many_wins
                honour_each_others_at_least
                a_killed_holder_is_succeeded_when_its_lease_ends
                a_paused_holder_does_no_harm_when_it_goes_on
                two_processes_of_one_node_name_are_two
                no_two_bodies_overlap
            }
        }
    };
}

/// Calls a macro with all cases, by group. A test compares this list with the source files, so no case can be missing.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    (($($callback:tt)*) $($context:tt)*) => {
        $($callback)*! {
            ($($context)*)
            basics {
                is_taken_and_given_back
                is_not_reentrant
                two_names_are_two_locks
                is_free_at_once_after_each_release
                the_guard_takes_and_gives_back
                ends_after_at_most
                a_past_lease_does_not_linger
                a_new_node_sees_what_others_did
                the_longest_lease_is_held
                a_foreign_record_is_taken_over
            }
            extending {
                moves_the_end
                works_again_and_again
                counts_from_now
                after_release_is_lost
                after_expiry_is_lost
                a_guard_whose_lease_ended_says_so
                a_guard_is_extended_in_place
            }
            owner {
                a_late_release_frees_nothing
                a_late_release_keeps_nothing
                a_late_extension_changes_nothing
                two_nodes_of_one_name_are_two
                two_runs_of_one_node_are_two
                a_late_guard_is_dropped_without_harm
                a_second_release_harms_nobody
                a_repeated_attempt_is_granted
                a_refused_attempt_writes_nothing
                the_stored_owner_names_node_and_acquisition
                the_random_part_is_never_shown
            }
            late {
                an_acquisition_after_an_extension
                an_acquisition_while_at_least_lasts
                an_acquisition_after_its_release
                an_acquisition_after_its_lease
                an_extension_after_a_later_one
                an_extension_a_second_time
                an_extension_while_at_least_lasts
                an_extension_after_the_release
                a_release_after_a_later_extension
                a_release_a_second_time
                anything_after_the_next_holder
            }
            at_least {
                holds_after_a_release
                holds_after_a_return
                holds_after_an_error
                holds_after_a_panic
                holds_after_a_dropped_task
                holds_after_a_dropped_guard
                survives_an_extension
                can_be_extended
                can_be_extended_after_a_slow_reply
                may_be_longer_than_at_most
                does_not_outlive_a_crash
                is_over_after_a_long_run
            }
            releasing {
                after_a_return
                a_second_call_does_not_run
                after_an_error
                after_a_panic
                after_a_dropped_task
                after_a_dropped_guard
                after_a_guard_dropped_elsewhere
                not_when_told_to_keep_it
                a_failure_keeps_the_result_and_is_tried_again
                a_lost_extension_can_be_repeated
            }
            time {
                the_holder_counts_from_before_it_asked
                an_extension_counts_from_before_it_was_asked
                the_holder_stops_before_another_starts
                a_wrong_clock_changes_nothing
                fractions_are_not_cut_off
                a_lease_beyond_the_limits_never_reaches_the_store
            }
            names {
                odd_names_are_distinct_locks
                short_and_long_names_work
                a_name_too_long_never_reaches_the_store
                an_illegal_name_never_reaches_the_store
                odd_node_names_do_no_harm
            }
            fencing {
                is_declared_if_there_is_any
                grows_across_releases
                grows_across_expiry
                is_the_same_for_the_whole_lease
                survives_a_restart
                survives_deletion
            }
            positions {
                a_slot_has_one_run
                the_next_slot_has_another_run
                an_instant_has_one_run
                steps_run_in_order
                attempts_are_counted
                a_repeated_request_is_one_attempt
                an_unused_grant_is_no_run
                an_answer_that_is_lost_begins_no_run
                an_unused_grant_is_given_back_once
                a_failure_is_not_done
                an_operator_leaves_the_position
                one_of_many_runs
                without_positions_a_request_for_one_is_refused
            }
            claims {
                a_text_has_one_run
                one_of_many_claims_a_text
                old_claims_are_forgotten
            }
            history {
                an_entry_reads_back
                each_outcome_reads_back
                a_range_is_read
                many_write_at_once
                runs_are_entered
            }
            takeovers {
                a_dead_holder_is_told_once
                a_holder_that_extended_is_told
                a_released_lock_has_no_predecessor
                a_late_release_is_a_release
                an_operator_is_no_dead_holder
                a_foreign_record_is_no_dead_holder
                the_run_of_a_dead_holder_is_told
            }
            contention {
                one_of_many_wins_a_new_lock
                one_of_many_wins_a_released_lock
                one_of_many_takes_over
                none_of_many_gets_a_held_lock
                no_two_bodies_overlap
            }
            ambiguity {
                a_lost_grant_is_given_back
                a_cancelled_acquisition_leaves_nothing
                an_acquisition_dropped_anywhere_leaves_nothing
                a_silent_store_is_given_up_in_time
                a_reply_lost_on_the_way_is_no_grant
            }
            errors {
                are_typed_and_helpful
                a_store_that_is_away_is_an_error
            }
            listing {
                lists_what_is_held_and_paused
                lists_what_is_free
                reads_by_prefix
                an_unknown_name_is_none
            }
            admin {
                a_held_lock_says_who_and_how_long
                a_free_lock_says_since_when
                a_bad_name_never_reaches_the_store
                tokens_grow_whatever_an_operator_does
                an_extension_is_seen
                what_an_operator_does_is_told
            }
            forcing {
                a_forced_release_frees_at_once
                the_reason_is_kept_until_the_next_acquisition
                a_forced_release_ends_at_least
                the_old_holder_is_told
                the_reason_is_kept_cleaned_and_cut
            }
            pruning {
                prune_forgets_what_has_long_been_free
                prune_spares_what_is_taken
                prune_keeps_to_its_prefix
                a_forgotten_lock_can_be_taken
                prune_comes_between_no_acquisition
            }
            resuming {
                resume_frees_at_once
                resume_leaves_a_held_lock_alone
                a_paused_lock_can_be_released_by_force
            }
            pausing {
                a_paused_lock_is_skipped_by_every_node
                an_unknown_lock_can_be_paused
                a_pause_takes_the_lock_from_its_holder
                the_caller_is_told_why
                a_pause_ends_by_itself
                a_pause_that_is_over_is_none
                a_second_pause_replaces_the_first
                a_pause_is_shown
                attempts_leave_a_pause_as_it_is
                an_impossible_pause_never_reaches_the_store
            }
            healing {
                a_record_deleted_while_free
                a_record_deleted_while_held
                a_schema_that_comes_late
                ended_connections
                a_restarted_store
            }
        }
    };
}
