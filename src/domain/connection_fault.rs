//! Why a connection failed, for operators.

use super::words::words;

words! {
    /// Why a connection failed.
    pub enum ConnectionFault {
        /// The host's name does not resolve.
        Dns = "dns",
        /// The host refuses connections to the port.
        Refused = "refused",
        /// The TLS handshake failed, for example because of an unknown CA or an expired certificate.
        Tls = "tls",
        /// The proxy is unreachable, or refuses to connect to the host.
        Proxy = "proxy",
        /// The time limit passed.
        Timeout = "timeout",
        /// Another cause; the gateway's log has it.
        Other = "other",
    }
}
