//! The contract, rule by rule: the name of a test begins with its section of `docs/spec.md`.
//! Everything here talks to the real server, with the simulator as its upstream: over loopback
//! sockets, or over in-memory pipes where the clock is paused.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod rig;
mod scripts;
mod wire;

mod readme;
mod s10_1_hop;
mod s10_1_keys;
mod s10_1_local;
mod s10_1_providers;
mod s10_1_times;
mod s10_3_order;
mod s10_4_completions;
mod s10_4_refusals;
mod s10_4_scopes;
mod s10_4_steered;
mod s10_4_too_large;
mod s10_5_ledger;
mod s10_5_openrouter;
mod s10_6_fields;
mod s10_6_mended;
mod s10_7_lists;
mod s10_7_no_ranking;
mod s10_7_unknown;
mod s10_8_explained;
mod s10_8_shown;
mod s10_simulated;
mod s11_1_learnt;
mod s11_2_rests;
mod s11_3_limit;
mod s11_4_sessions;
mod s11_5_passing;
mod s11_5_waiting;
mod s11_6_wishes;
mod s11_7_seen;
mod s11_8_trace;
mod s12_2_reload;
mod s13_clients;
mod s13_fair;
mod s13_guessing;
mod s13_limits;
mod s2_3_catalogue;
mod s2_3_second_source;
mod s2_4_router;
mod s2_failed_reads;
mod s2_list;
mod s3_1_trust;
mod s3_admin_events;
mod s3_admin_explain;
mod s3_admin_state;
mod s3_condition;
mod s3_dialects;
mod s3_errors;
mod s3_long_waits;
mod s3_models;
mod s3_surface;
mod s3_surfaces;
mod s3_surfaces_calls;
mod s3_surfaces_history;
mod s3_surfaces_odd_answers;
mod s3_ui;
mod s4_1_needs;
mod s4_1_size;
mod s4_2_failures;
mod s4_2_unreachable;
mod s4_2_walk;
mod s4_3_cooldowns;
mod s4_4_as_stream;
mod s4_4_errors;
mod s4_5_account;
mod s4_5_account_rest;
mod s4_5_model;
mod s4_5_request;
mod s4_5_routing;
mod s4_6_plain;
mod s4_6_silence;
mod s4_7_probes;
mod s4_8_leaving;
mod s4_chat;
mod s5_aloud;
mod s5_faults;
mod s5_keepalive;
mod s5_streaming;
mod s6_connections;
mod s6_encoded;
mod s6_framing;
mod s6_limits;
mod s6_outbound;
mod s6_upstream;
mod s7_metrics;
mod s7_operating;
mod s7_rejected;
mod s7_secrets;
mod s7_telemetry;
mod s8_drain;
