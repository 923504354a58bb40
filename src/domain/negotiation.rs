//! Who starts the negotiation of a tunnel (API 3.0).

use super::wire_words::wire_words;

wire_words! {
    /// Who starts the negotiation (`NegotiationType`).
    pub enum NegotiationType {
        /// The gateway.
        Active = "active" (v3 "active"),
        /// The peer.
        Passive = "passive" (v3 "passive"),
        /// The gateway, when traffic for the tunnel arrives.
        FlowTrigger = "flow-trigger" (v3 "flowTrigger"),
    }
}
