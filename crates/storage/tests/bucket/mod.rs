//! What the tests of buckets need: a server, and a proxy that breaks things.

pub(crate) mod proxy;
pub(crate) mod server;
