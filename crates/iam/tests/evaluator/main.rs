//! The evaluator from outside: vectors, three-valued laws, decisions, explanations, policy errors.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly, and read vectors that are not part of the project"
)]

mod decisions;
mod documents;
mod explanations;
mod kleene;
mod laws;
mod layers;
mod policy_errors;
mod reach;
mod s3;
mod simulation;
mod support;
mod turning;
mod vectors;
