//! The calls, as the document describes them, a file for each tag. The functions are never called: they carry the
//! descriptions. To describe a new call: a function here, its name in `Document`, its problems in a `problems!` list (their
//! words come from the table of problem types); the headers that every call has, and the limits of parameters, are added by [`super::common`].
#![allow(dead_code, reason = "documentation only")]

pub(super) mod audit;
pub(super) mod operations;
pub(super) mod problems;
pub(super) mod service;
pub(super) mod tunnels;
