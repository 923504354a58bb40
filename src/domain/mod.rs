//! Tunnel changes without I/O: values that are valid by construction, and the states of an operation.

pub mod bucket;
pub mod canonical;
pub mod chain;
pub mod changes;
pub mod cidr;
pub mod echo;
pub mod etag;
pub mod event;
pub mod fault;
pub mod fingerprint;
pub mod ids;
pub mod ike;
pub mod ipsec;
pub mod name;
pub mod operation;
pub mod outcome;
pub mod patch;
pub mod policy;
pub mod principal;
pub mod secret;
pub mod stored;
pub mod timestamp;
pub mod tunnel;
pub mod tunnel_view;
pub mod verification;
pub mod words;
