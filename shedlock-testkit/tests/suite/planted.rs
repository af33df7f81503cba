//! Providers that are wrong on purpose: for each bug the suite has a case that fails, and says why.

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shedlock_testkit::conformance::{Subject, run};

use super::toy::{Bug, ToyHarness};

/// Runs each case on a provider with the bug; it must fail with the words given.
macro_rules! planted {
    ($($bug:ident: $($group:ident::$case:ident $words:literal),+;)*) => {
        $(
            #[expect(non_snake_case, reason = "named after the bug")]
            mod $bug {
                $(
                    #[test]
                    fn $case() {
                        let case = async |subject: &_| shedlock_testkit::conformance::$group::$case(subject).await;
                        super::must_fail(super::Bug::$bug, concat!(stringify!($bug), "::", stringify!($case)), $words, case);
                    }
                )+
            }
        )*
    };
}

fn must_fail(bug: Bug, test: &'static str, words: &str, case: impl AsyncFnOnce(&Subject)) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(test, ready(ToyHarness::wrong(bug)), case);
    }));
    let panic = outcome.expect_err("the case does not see the bug");
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    assert!(
        said.contains(words),
        "the case fails with other words: {said}"
    );
}

planted! {
    AcquiresHeldLocks:
        basics::is_taken_and_given_back "granted to another",
        contention::one_of_many_wins_a_new_lock "contenders at once",
        contention::no_two_bodies_overlap "two bodies overlapped";
    AtLeastFromTheRelease:
        at_least::is_over_after_a_long_run "was refused";
    AtLeastIgnored:
        at_least::holds_after_a_release "was to be kept",
        at_least::holds_after_a_return "was to be kept",
        at_least::holds_after_an_error "was to be kept",
        at_least::holds_after_a_panic "was to be kept",
        at_least::holds_after_a_dropped_task "was to be kept",
        at_least::holds_after_a_dropped_guard "was to be kept",
        at_least::survives_an_extension "was to be kept",
        at_least::can_be_extended "was to be kept",
        at_least::may_be_longer_than_at_most "was to be kept";
    AttemptsAreNotCounted:
        positions::attempts_are_counted "must not run";
    AttemptsEndPauses:
        pausing::attempts_leave_a_pause_as_it_is "was granted",
        pausing::a_paused_lock_is_skipped_by_every_node "was granted";
    CachesThatTheRowExists:
        healing::a_record_deleted_while_free "was refused",
        pruning::a_forgotten_lock_can_be_taken "was refused";
    ChecksThenActs:
        contention::one_of_many_wins_a_new_lock "contenders at once",
        contention::one_of_many_wins_a_released_lock "contenders at once",
        contention::one_of_many_takes_over "contenders at once";
    ClientClock:
        time::a_wrong_clock_changes_nothing "granted to another";
    CutsNames:
        names::short_and_long_names_work "was refused";
    ErrorMeansFree:
        errors::are_typed_and_helpful "the task ran without a lock",
        errors::a_store_that_is_away_is_an_error "the task ran without a lock";
    ErrorMeansHeld:
        errors::are_typed_and_helpful "instead of failing",
        errors::a_store_that_is_away_is_an_error "did not fail",
        healing::a_schema_that_comes_late "there is no schema";
    ExpiryIgnored:
        basics::ends_after_at_most "should long be free",
        at_least::does_not_outlive_a_crash "should long be free";
    ExtendsAfterExpiry:
        extending::after_expiry_is_lost "cannot be extended",
        extending::after_release_is_lost "cannot be extended";
    ExtendsFromTheOldEnd:
        extending::counts_from_now "should long be free";
    ExtensionIgnored:
        extending::moves_the_end "granted to another",
        extending::works_again_and_again "granted to another",
        extending::a_guard_is_extended_in_place "granted to another";
    ExtensionMakesTheRow:
        healing::a_record_deleted_while_held "must not bring the record back";
    ExtensionWithoutOwner:
        owner::a_late_extension_changes_nothing "the stale holder is told";
    ForcedReleaseKeepsTheOwner:
        forcing::the_old_holder_is_told "the stale holder is told",
        forcing::the_reason_is_kept_until_the_next_acquisition "node: \"one\"";
    ForcedReleaseWaitsForAtLeast:
        forcing::a_forced_release_frees_at_once "it is free",
        forcing::a_forced_release_ends_at_least "was refused";
    FoldsCase:
        listing::an_unknown_name_is_none "left == right",
        names::odd_names_are_distinct_locks "only other names are held";
    HistoryForgetsErrors:
        history::an_entry_reads_back "the latest first";
    HistoryForgetsOldEntriesAtOnce:
        history::an_entry_reads_back "the latest first",
        history::each_outcome_reads_back "left == right",
        history::a_range_is_read "left == right";
    HistoryIgnoresTheRange:
        history::a_range_is_read "left == right";
    HistoryKnowsTwoOutcomes:
        history::each_outcome_reads_back "left == right",
        history::runs_are_entered "the crash is entered";
    HistoryMixesLocks:
        history::an_entry_reads_back "the latest first";
    HistoryOverwrites:
        history::many_write_at_once "left == right";
    LateAttemptsTakeTheLock:
        late::an_acquisition_after_its_release "for a holder that is gone",
        late::an_acquisition_after_its_lease "for a holder that is gone";
    LateWritesCount:
        late::an_extension_after_a_later_one "changed the record",
        late::an_extension_while_at_least_lasts "changed the record",
        late::a_release_after_a_later_extension "left == right";
    ListShowsTheSecret:
        admin::a_held_lock_says_who_and_how_long "is said to be";
    LooksOnlyAtTheHost:
        owner::two_nodes_of_one_name_are_two "the stale holder is told",
        owner::two_runs_of_one_node_are_two "the stale run is told",
        basics::is_not_reentrant "granted to another";
    LossIsNotSaid:
        owner::a_late_release_frees_nothing "the stale holder is told",
        owner::a_late_guard_is_dropped_without_harm "the guard says";
    NeverReconnects:
        healing::ended_connections "failed",
        healing::a_restarted_store "failed";
    PauseForgetsThePosition:
        positions::an_operator_leaves_the_position "and was refused";
    PauseKeepsTheHolder:
        pausing::a_pause_takes_the_lock_from_its_holder "the holder is told",
        pausing::a_pause_is_shown "paused: false";
    PauseLooksHeld:
        pausing::a_paused_lock_is_skipped_by_every_node "refused as paused",
        pausing::the_caller_is_told_why "Held";
    PauseOutlastsItsEnd:
        pausing::a_pause_ends_by_itself "should long be free",
        pausing::a_second_pause_replaces_the_first "should long be free",
        pausing::a_pause_is_shown "the end is";
    PauseTakesAToken:
        pausing::a_pause_is_shown "keeps the token",
        admin::tokens_grow_whatever_an_operator_does "no acquisition";
    PositionIsIgnored:
        claims::a_text_has_one_run "left == right",
        claims::one_of_many_claims_a_text "was run",
        positions::a_slot_has_one_run "must not run",
        positions::an_instant_has_one_run "must not run",
        positions::steps_run_in_order "must not run",
        positions::one_of_many_runs "was run for one instant";
    PositionIsNeverDone:
        positions::steps_run_in_order "must not run",
        positions::a_failure_is_not_done "left == right";
    PrintsTheSecret:
        owner::the_random_part_is_never_shown "the random part is shown";
    PruneFoldsCase:
        pruning::prune_keeps_to_its_prefix "was forgotten for";
    PruneForgetsPauses:
        pruning::prune_spares_what_is_taken "is paused, and was granted";
    PruneIgnoresTheAge:
        claims::old_claims_are_forgotten "the claim is young",
        pruning::prune_forgets_what_has_long_been_free "a fresh record";
    PruneIgnoresThePrefix:
        claims::old_claims_are_forgotten "another lock's claim",
        pruning::prune_keeps_to_its_prefix "was forgotten for";
    PruneLooksThenDeletes:
        pruning::prune_comes_between_no_acquisition "is held, and was";
    PruneTakesWildcards:
        pruning::prune_keeps_to_its_prefix "was forgotten for";
    ReasonIsCut:
        forcing::the_reason_is_kept_cleaned_and_cut "left == right";
    RefusalWrites:
        owner::a_refused_attempt_writes_nothing "left == right";
    ReleaseIgnored:
        basics::is_taken_and_given_back "was refused",
        releasing::after_a_panic "should long be free",
        releasing::after_a_dropped_task "should long be free",
        ambiguity::a_lost_grant_is_given_back "should long be free",
        ambiguity::a_cancelled_acquisition_leaves_nothing "should long be free",
        ambiguity::a_reply_lost_on_the_way_is_no_grant "should long be free";
    ReleaseIsNotMarked:
        takeovers::a_released_lock_has_no_predecessor "the lock was released",
        takeovers::a_late_release_is_a_release "the lock was released";
    ReleaseWithoutOwner:
        owner::a_late_release_frees_nothing "the stale holder is told",
        owner::a_late_release_keeps_nothing "the stale holder is told",
        owner::a_late_guard_is_dropped_without_harm "the guard says",
        owner::a_second_release_harms_nobody "another's by now";
    RepeatedAttemptCounts:
        positions::a_repeated_request_is_one_attempt "and was refused";
    RepeatedAttemptIsRefused:
        owner::a_repeated_attempt_is_granted "must be told so";
    RepeatedAttemptMovesTheEnd:
        late::an_acquisition_after_an_extension "changed the record",
        late::an_acquisition_while_at_least_lasts "changed the record";
    RepeatedWritesCount:
        late::an_extension_a_second_time "changed the record",
        late::a_release_a_second_time "was refused";
    ResumeFreesHeldLocks:
        resuming::resume_leaves_a_held_lock_alone "nobody has paused it";
    RoundsDown:
        time::fractions_are_not_cut_off "was to be kept";
    TakeoverHasTheWrongTimes:
        takeovers::a_dead_holder_is_told_once "the beginning is";
    TakeoversAreNotTold:
        takeovers::a_dead_holder_is_told_once "nobody said so",
        takeovers::a_holder_that_extended_is_told "nobody said so",
        takeovers::the_run_of_a_dead_holder_is_told "nobody said so";
    TokenDiesWithTheRow:
        fencing::survives_deletion "was granted after",
        admin::tokens_grow_whatever_an_operator_does "was granted after";
    TokenStandsStill:
        admin::tokens_grow_whatever_an_operator_does "was granted after",
        fencing::grows_across_releases "was granted after",
        fencing::grows_across_expiry "was granted after",
        fencing::survives_a_restart "was granted after",
        fencing::is_the_same_for_the_whole_lease "assertion failed";
    TrimsNames:
        names::odd_names_are_distinct_locks "only other names are held";
    UnusedGrantCounts:
        positions::an_unused_grant_is_no_run "and was refused",
        positions::an_answer_that_is_lost_begins_no_run "and was refused";
    UnusedGrantIsGivenBackTwice:
        positions::an_unused_grant_is_given_back_once "left == right";
}

/// A provider whose locks nobody outside its process knows of.
mod locks_of_one_process {
    use std::future::ready;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use shedlock_runtime::{InMemoryLockProvider, LockProvider, async_trait};
    use shedlock_testkit::conformance::{Harness, Subject, processes, run};
    use shedlock_testkit::processes::{Reexec, serve};

    struct Alone(InMemoryLockProvider);

    #[async_trait]
    impl Harness for Alone {
        fn answers_at_once(&self) -> bool {
            true
        }

        async fn node(&self, _name: &str) -> Arc<dyn LockProvider> {
            Arc::new(self.0.clone())
        }

        fn address(&self) -> Option<String> {
            Some("nowhere".to_owned())
        }
    }

    #[test]
    #[ignore = "runs as the child of the tests beside it"]
    fn child() {
        serve(|_address, _node| {
            ready(Arc::new(InMemoryLockProvider::new()) as Arc<dyn LockProvider>)
        });
    }

    fn must_fail(words: &str, case: impl AsyncFnOnce(&Subject, &Reexec)) {
        let nodes = Reexec::new(concat!(module_path!(), "::child"));
        let alone = ready(Alone(InMemoryLockProvider::new()));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            run("alone", alone, async |subject: &_| {
                case(subject, &nodes).await;
            });
        }));
        let panic = outcome.expect_err("the case does not see that nothing is shared");
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .unwrap_or_default();
        assert!(
            said.contains(words),
            "the case fails with other words: {said}"
        );
    }

    #[test]
    fn exclude_each_other() {
        must_fail("granted to another", processes::exclude_each_other);
    }

    #[test]
    fn one_of_many_wins() {
        must_fail("processes asked for it", processes::one_of_many_wins);
    }

    #[test]
    fn honour_each_others_at_least() {
        must_fail("was to be kept", processes::honour_each_others_at_least);
    }

    #[test]
    fn a_killed_holder_is_succeeded_when_its_lease_ends() {
        must_fail(
            "was to be kept",
            processes::a_killed_holder_is_succeeded_when_its_lease_ends,
        );
    }

    #[test]
    fn no_two_bodies_overlap() {
        must_fail("two bodies overlapped", processes::no_two_bodies_overlap);
    }
}
