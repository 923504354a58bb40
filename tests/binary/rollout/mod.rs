//! `tunnelgate rollout` against a gateway and a simulated cloud.

mod doubt;
mod resume;
mod rollback;
mod site;
mod stop;
mod whole;
