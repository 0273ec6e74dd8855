//! The evaluator from outside: vectors, three-valued laws, decisions, explanations, policy errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

mod decisions;
mod explanations;
mod kleene;
mod policy_errors;
mod support;
mod throughput;
mod vectors;
