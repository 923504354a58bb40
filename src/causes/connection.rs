//! The kind of a failed connection, from the errors of reqwest, sqlx and the libraries below them.

use std::error::Error;
use std::io;

use tokio::time::error::Elapsed;

use crate::domain::connection_fault::ConnectionFault;

/// The start of a message of hyper-util about CONNECT at a proxy. Its cause is the proxy's, not the host's.
const TUNNEL: &str = "tunnel error";
/// Messages about a name that does not resolve: hyper-util's, and the standard library's.
const DNS: [&str; 2] = ["dns error", "failed to lookup address information"];
/// tokio-rustls: the other side closed the connection during the handshake.
const HANDSHAKE: &str = "tls handshake eof";
/// reqwest: the time limit of the connection attempt passed.
const TIMEOUT: &str = "operation timed out";

/// Classifies the error of a connection attempt. The outermost cause that names a kind decides: a proxy's refusal comes
/// with the refused port below it.
#[must_use]
pub fn connection_fault(error: &(dyn Error + 'static)) -> ConnectionFault {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(fault) = own_fault(cause) {
            return fault;
        }
        next = below(cause);
    }
    ConnectionFault::Other
}

/// The cause below. An I/O error omits the error that it wraps from its sources.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
}

/// The kind that the error itself names. Some libraries have private types, and only a message that names it.
fn own_fault(error: &(dyn Error + 'static)) -> Option<ConnectionFault> {
    let text = error.to_string();
    if text.starts_with(TUNNEL) {
        return Some(ConnectionFault::Proxy);
    }
    if error.is::<rustls::Error>() || text == HANDSHAKE {
        return Some(ConnectionFault::Tls);
    }
    if DNS.iter().any(|words| text.starts_with(words)) {
        return Some(ConnectionFault::Dns);
    }
    if error.is::<Elapsed>() || text == TIMEOUT {
        return Some(ConnectionFault::Timeout);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some(ConnectionFault::Refused),
        io::ErrorKind::TimedOut => Some(ConnectionFault::Timeout),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Outer(#[source] Box<dyn Error + Send + Sync>);

    #[test]
    fn the_kind_is_found_below_other_errors() {
        let unknown_ca = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (cause, fault) in [
            (io::Error::from(io::ErrorKind::ConnectionRefused), ConnectionFault::Refused),
            (io::Error::from(io::ErrorKind::TimedOut), ConnectionFault::Timeout),
            (io::Error::new(io::ErrorKind::InvalidData, unknown_ca), ConnectionFault::Tls),
            (io::Error::new(io::ErrorKind::UnexpectedEof, HANDSHAKE), ConnectionFault::Tls),
            (io::Error::from(io::ErrorKind::ConnectionReset), ConnectionFault::Other),
        ] {
            assert_eq!(connection_fault(&Outer(Box::new(cause))), fault);
        }
    }

    #[test]
    fn what_a_proxy_says_counts_before_what_is_below_it() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let proxy = io::Error::other(format!("{TUNNEL}: {refused}"));
        assert_eq!(connection_fault(&Outer(Box::new(proxy))), ConnectionFault::Proxy);
    }
}
