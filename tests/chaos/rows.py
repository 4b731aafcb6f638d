"""The 25 faults, and which tests cause each (docs/chaos.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes:
        tests: node ids; without a parameter all of a test's belong to it.
    """

    number: int
    fault: str
    tests: tuple[str, ...]


def _in(module: str, *names: str) -> Iterator[str]:
    for name in names:
        yield f"tests/{module}.py::test_{name}"


_WINDOWS = "integration/voc/test_windows"
_OUTAGES = "integration/pipeline/test_outage_matrix"
_CRASHES = "integration/voc/test_crash_points"

ROWS = (
    Row(1, "SIGKILL bursts over three workers", (*_in("chaos/test_workers", "bursts_of_kill_9_over_three_workers"),)),
    Row(
        2,
        "rolling SIGTERM, and a stop at any moment",
        (
            *_in("chaos/test_workers", "a_rolling_restart_loses_nothing_dead_letters_nothing_and_delays_little"),
            *_in(
                "chaos/test_stops",
                "at_any_moment_of_a_start_a_stop_is_a_stop",
                "in_the_middle_of_a_rebalance_a_stop_is_a_stop",
                "with_a_dependency_gone_a_stop_is_a_stop",
            ),
        ),
    ),
    Row(3, "SIGSTOP past the session", (*_in("chaos/test_workers", "a_worker_that_sleeps_past_its_session_does_nothing_twice_when_it_wakes"),)),
    Row(4, "20 joins and leaves", (*_in("chaos/test_workers", "20_joins_and_leaves_keep_every_key_in_sequence"),)),
    Row(
        5,
        "broker stopped, killed, started",
        (*_in("chaos/test_workers", "a_broker_that_is_stopped_and_one_that_is_killed_lose_nothing_that_was_acknowledged"),),
    ),
    Row(
        6,
        "bug in a stage",
        (
            *_in("integration/runtime/test_delivery", "an_unknown_error_ends_the_worker_and_its_record_is_not_passed_until_it_is_mended"),
            *_in("unit/runtime/test_runner", "an_unknown_error_ends_the_worker_and_the_record_stays_unresolved"),
            *_in("unit/runtime/test_windowed", "an_error_that_nobody_knows_ends_the_worker"),
            *_in(
                "integration/health/test_health",
                "idle_surplus_and_woken_workers_are_alive_and_group_errors_stuck_stages_and_hung_loops_are_told_and_ended",
            ),
        ),
    ),
    Row(
        7,
        "head of a partition un-acked",
        (
            *_in("integration/runtime/test_delivery", "after_kill_9_a_slow_head_comes_again_and_nothing_is_lost"),
            *_in("unit/runtime/test_ledger", "in_any_order_of_resolving_the_position_is_the_end_of_the_resolved_prefix"),
        ),
    ),
    Row(
        8,
        "poison message",
        (
            *_in("integration/pipeline/test_malformed_records", "bytes_that_are_no_value_are_dead_lettered_as_they_were_and_neighbours_pass"),
            *_in("integration/pipeline/test_malformed_records", "values_that_can_never_pass_are_dead_lettered_as_they_were_and_neighbours_pass"),
            *_in(_WINDOWS, "one_bad_record_of_500_is_a_dead_letter_and_the_last_events_of_a_quiet_stream_are_stored_by_the_timer"),
        ),
    ),
    Row(
        9,
        "100 % poison",
        (
            *_in("integration/voc/test_pauses", "a_bad_deploy_stops_the_stage_not_the_offset_s_meaning_and_operators_pause_and_resume_it"),
            *_in(
                "integration/pipeline/test_self_pause",
                "downloads_that_are_all_refused_pause_their_stage_before_the_topic_is_drained_and_the_rest_passes_when_they_are_not",
            ),
            *_in(
                "unit/runtime/test_runner_pauses",
                "when_every_record_dies_the_stage_pauses_and_the_offset_stops_short_of_draining_the_topic",
                "what_was_held_back_passes_after_the_pause_if_it_can_by_then",
            ),
            *_in(
                "unit/runtime/test_windowed_pauses",
                "when_every_event_is_bad_nothing_is_written_down_or_dead_lettered_and_the_offset_stands_still",
            ),
        ),
    ),
    Row(
        10,
        "dead-letter topic unavailable",
        (
            *_in("integration/voc/test_pauses", "while_the_dead_letter_topic_is_gone_the_offset_does_not_move_and_other_topics_go_on"),
            *_in(
                "integration/runtime/test_dead_letter_topic",
                "the_offset_stays_before_a_record_whose_dead_letter_cannot_be_written_until_its_topic_is_back",
            ),
        ),
    ),
    Row(11, "ClickHouse down for 60 s", (*_in(_OUTAGES, "clickhouse_is_away_for_a_minute_and_the_worker_s_memory_stays_flat"),)),
    Row(
        12,
        "reply lost after the insert",
        (
            *_in("integration/voc/test_chaos", "each_event_is_stored_once_and_each_poison_is_dead_lettered_whatever_happens_to_the_workers"),
            *_in("integration/warehouse/test_views", "a_token_sent_again_changes_neither_table_nor_views"),
            *_in("unit/runtime/test_windowed", "an_insert_is_repeated_with_the_same_token_through_lost_replies_and_outages"),
        ),
    ),
    Row(
        13,
        "crash before, during, after an insert",
        (
            *_in(_CRASHES, "a_worker_that_dies_around_its_insert_stores_each_row_once"),
            *_in("integration/warehouse/test_crash", "windows_that_a_kill_cut_off_are_whole_when_they_come_again"),
        ),
    ),
    Row(
        14,
        "each rule of the ledger off",
        (
            *_in("unit/stages/test_windows_machine", "without_any_single_rule_an_event_is_lost_or_stored_twice"),
            *_in("unit/stages/test_delivery", "without_the_lease_nothing_further_is_done", "an_adopted_window_is_sent_again_with_its_token"),
        ),
    ),
    Row(
        15,
        "any interleaving",
        (
            *_in("unit/stages/test_windows_machine", "each_event_is_stored_once_whatever_happens"),
            *_in("unit/stages/test_dedup", "whatever_is_delivered_again_each_call_s_first_record_passes_and_no_other"),
        ),
    ),
    Row(
        16,
        "token forgotten before the retry",
        (
            *_in(_CRASHES, "a_token_that_clickhouse_forgot_meanwhile_stores_nothing_twice"),
            *_in("unit/stages/test_delivery", "of_an_old_adopted_window_only_what_is_absent_is_inserted"),
            *_in("integration/warehouse/test_views", "how_far_back_tokens_are_remembered_follows_from_the_parts_that_were_made"),
        ),
    ),
    Row(
        17,
        "token reused for other rows",
        (
            *_in(_WINDOWS, "a_group_set_back_replays_what_it_knows_a_new_group_and_a_topic_made_anew_are_refused"),
            *_in("unit/stages/test_windows", "other_records_at_the_offsets_of_a_known_window_are_refused"),
        ),
    ),
    Row(
        18,
        "500 tenants in a batch",
        (
            *_in("integration/warehouse/test_events", "a_batch_of_five_hundred_tenants_is_stored_once_under_either_partitioning"),
            *_in(_WINDOWS, "a_batch_may_be_of_500_tenants_and_one_full_partition_delays_no_other"),
        ),
    ),
    Row(
        19,
        "redelivery meets the dedup table",
        (
            *_in("integration/pipeline/test_dedup_crash", "a_call_that_dedup_remembered_before_the_crash_is_passed_on_once"),
            *_in("integration/pipeline/test_crashes", "kill_9_in_the_middle_of_30_calls_loses_nothing_and_shows_nothing_twice"),
        ),
    ),
    Row(
        20,
        "RocksDB deleted, corrupt, disk full",
        (
            *_in(
                "integration/voc/test_state",
                "tables_that_were_deleted_or_damaged_are_read_again_and_know_every_event",
                "on_a_full_disk_the_worker_waits_alive_and_not_ready_and_goes_on_when_there_is_room",
            ),
            *_in("unit/runtime/test_state", "a_folder_that_cannot_be_opened_is_an_empty_table_so_that_all_of_the_changelog_is_read"),
        ),
    ),
    Row(21, "restart with an open batch", (*_in("integration/voc/test_state", "half_a_window_is_stored_after_a_restart_though_nothing_new_comes"),)),
    Row(
        22,
        "late, future, out-of-order times",
        (
            *_in("integration/voc/test_times", "whatever_order_times_come_in_each_event_is_stored_in_its_own_month"),
            *_in("unit/stages/test_validate", "a_time_that_cannot_be_is_a_reason", "old_events_and_those_of_wrong_clocks_pass"),
        ),
    ),
    Row(
        23,
        "PostgreSQL lost",
        (
            *_in(
                "integration/clients/test_postgres",
                "a_killed_connection_is_an_outage_and_the_next_one_works",
                "connections_that_died_while_idle_are_replaced",
                "a_pool_with_no_connection_free_gives_up_in_time",
            ),
            *_in("integration/clients/test_postgres_faults", "a_transaction_that_meets_a_fault_is_whole_or_not_there"),
            *_in(_OUTAGES, "in_the_middle_of_work[postgres down]", "in_the_middle_of_work[postgres half-open]"),
        ),
    ),
    Row(
        24,
        "migrations",
        (
            *_in(
                "integration/schema/test_postgres",
                "apply_then_roll_all_back_then_apply_gives_the_same_schema",
                "two_appliers_at_once_apply_each_migration_once",
                "the_lock_row_of_a_killed_holder_is_removed",
            ),
            *_in(
                "integration/schema/test_clickhouse",
                "apply_then_roll_all_back_then_apply_gives_the_same_schema",
                "a_migration_that_broke_off_is_named_until_it_is_rolled_back",
            ),
            *_in("integration/test_migrate", "the_first_run_applies_and_the_second_verifies"),
        ),
    ),
    Row(
        25,
        "S3 faults",
        (
            *_in(
                "integration/clients/test_object_store_faults",
                "an_object_that_cannot_be_read_is_an_attempt_that_failed_or_an_outage",
                "an_upload_that_meets_a_fault_ends_in_time_and_passes_when_it_is_tried_again",
            ),
            *_in(
                "contract/test_object_store", "an_object_that_is_not_there_is_refused_and_has_no_head", "an_object_longer_than_the_limit_is_not_read"
            ),
            *_in(_OUTAGES, "in_the_middle_of_work[s3 down]", "in_the_middle_of_work[s3 cut]"),
        ),
    ),
)
