//! `tunnelgate health`, for containers, which have no shell and no curl.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::{InvalidSetting, duration, listen};
use crate::health::{self, Question};

use super::{Failure, failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask whether the gateway is ready (/readyz: the ledger accepts writes) instead of alive (/livez)
    #[arg(long)]
    ready: bool,
    /// Time limit of the request
    #[arg(long, default_value = "3s", value_parser = duration::parse, value_name = "DURATION")]
    timeout: Duration,
    /// Address and port that the gateway listens on; `:8080` and `0.0.0.0:8080` are asked at 127.0.0.1
    #[arg(long, env = "TUNNELGATE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen::parse,
          value_name = "ADDRESS")]
    listen: SocketAddr,
    /// TLS certificate of the gateway. If it is set, the request uses TLS; the certificate is not verified
    #[arg(long, env = "TUNNELGATE_TLS_CERT_FILE", value_name = "FILE")]
    tls_cert_file: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.listen.port() == 0 {
        return Err(InvalidSetting::new(
            "TUNNELGATE_LISTEN (--listen)",
            "must name the port of the running gateway, not 0",
        )
        .into());
    }
    if args.timeout.is_zero() {
        return Err(InvalidSetting::new("--timeout", "must be greater than zero").into());
    }
    let (question, word) = if args.ready { (Question::Ready, "ready") } else { (Question::Alive, "alive") };
    match health::ask(question, args.listen, args.tls_cert_file.is_some(), args.timeout).await {
        Ok(url) => {
            failure::print(&format!("{word}: {url}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(unhealthy) => {
            failure::report(&unhealthy.into());
            Ok(ExitCode::from(1))
        }
    }
}
