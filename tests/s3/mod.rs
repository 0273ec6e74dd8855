//! A real S3 server, and a proxy before it that breaks things: for the tests of the crates and of the program.
#![allow(
    dead_code,
    reason = "this is a part of several test programs, and each uses what it needs of it"
)]

pub(crate) mod proxy;
pub(crate) mod server;
