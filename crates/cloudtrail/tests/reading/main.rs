//! Reads files and records as they come from storage: the format's quirks, its wrappers, and
//! everything that can be wrong with a file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests may fail loudly, and read files"
)]

mod breaks;
mod compressed;
mod forms;
mod fuzz;
mod hostile;
mod json;
mod quirks;
mod samples;
mod support;
