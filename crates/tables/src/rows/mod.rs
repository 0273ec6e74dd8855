//! The tables: a row struct and a list of columns each.

pub(crate) mod changes;
pub(crate) mod coverage;
pub(crate) mod decisions;
pub(crate) mod findings;
pub(crate) mod needs;
pub(crate) mod permissions;
pub(crate) mod rejects;
pub(crate) mod role_needs;
pub(crate) mod sessions;
pub(crate) mod usage;
pub(crate) mod what_if;
