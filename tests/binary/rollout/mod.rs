//! `tunnelgate rollout` against a gateway and a simulated cloud.

mod caller;
mod doubt;
mod resume;
mod rollback;
mod site;
mod stop;
mod terminal;
mod whole;
