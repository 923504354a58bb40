//! The port, and the server behind it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::rustls_0_23::reexports::ServerConfig;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use actix_web::{Error, web};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use crate::http::state::HttpState;

use super::descriptors;
use super::refusal;
use super::stream::{HEAD_LIMIT, KEEP_ALIVE, Stream};

/// Limit of the TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection that the service closes is still read.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(1);
/// Bytes of a body that an HTTP/2 caller may send ahead: on a stream (bodies have up to 64 KiB), and on a connection.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// HTTP/2 in the TLS handshake (ALPN).
const H2: &[u8] = b"h2";

/// How the service listens.
pub struct Listener {
    pub address: SocketAddr,
    /// `None` = plain HTTP.
    pub tls: Option<ServerConfig>,
    /// Threads; `None` = one per core.
    pub workers: Option<usize>,
    /// The most connections of all threads together; more wait until one closes.
    pub max_connections: usize,
    pub shutdown_timeout: Duration,
}

/// Opens the port; the server accepts connections once it is awaited. Returns the address that it listens on.
///
/// # Errors
/// If the address can't be used.
pub fn listen<F, I, S, B>(
    listener: Listener,
    state: web::Data<HttpState>,
    application: F,
) -> io::Result<(SocketAddr, Server)>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let socket = open(listener.address)?;
    let address = socket.local_addr()?;
    let workers = match listener.workers {
        Some(workers) => workers,
        None => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
    };
    let max_connections = descriptors::connections(listener.max_connections);
    let server = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(max_connections.div_ceil(workers).max(1))
        .shutdown_timeout(listener.shutdown_timeout.as_secs().max(1))
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let server = match listener.tls {
        None => server.listen("http", socket, move || {
            let state = state.clone();
            let plain = fn_service(move |io: TcpStream| {
                let state = state.clone();
                async move {
                    let peer = io.peer_addr().ok();
                    let answer = move |kind| refusal::answer(&state, kind);
                    Ok::<_, DispatchError>((Stream::new(io, true, answer), Protocol::Http1, peer))
                }
            });
            plain.and_then(http(application(), stopping.clone()))
        })?,
        Some(mut config) => {
            // Otherwise 256 callers that never finish their handshake would keep all others waiting.
            max_concurrent_tls_connect(max_connections);
            config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
            server.listen("https", socket, move || {
                let state = state.clone();
                let mut acceptor = Acceptor::new(config.clone());
                acceptor.set_handshake_timeout(HANDSHAKE_LIMIT);
                let tls = acceptor.map_err(TlsError::into_service_error);
                let tls = tls.map(move |io: TlsStream<TcpStream>| {
                    let (socket, session) = io.get_ref();
                    let protocol = match session.alpn_protocol() {
                        Some(H2) => Protocol::Http2,
                        _ => Protocol::Http1,
                    };
                    let peer = socket.peer_addr().ok();
                    let state = state.clone();
                    let answer = move |kind| refusal::answer(&state, kind);
                    (Stream::new(io, protocol == Protocol::Http1, answer), protocol, peer)
                });
                tls.and_then(http(application(), stopping.clone()).map_err(TlsError::Service))
            })?
        }
    };
    Ok((address, server.run()))
}

/// The HTTP server of one thread.
fn http<T, I, S, B>(
    application: I,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<
    (Stream<T>, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let application = application.into_factory().map_err(|error| error.into().error_response());
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_LIMIT)
        .client_disconnect_timeout(DISCONNECT_LIMIT)
        .h2_initial_window_size(STREAM_WINDOW)
        .h2_initial_connection_window_size(CONNECTION_WINDOW)
        .on_connect_ext(|stream: &Stream<T>, extensions| {
            extensions.insert(stream.requests().clone());
        })
        .finish(map_config(application, |()| AppConfig::default()))
}

/// A listening socket. Its port can be used again at once after a restart.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
