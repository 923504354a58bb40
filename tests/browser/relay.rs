//! A TCP relay between the browser and the gateway that breaks on command.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections until the end of the test.
pub struct Relay {
    pub base: String,
    broken: watch::Sender<bool>,
}

impl Relay {
    /// A relay to a gateway at `http://…`.
    pub async fn to(base: &str) -> Self {
        let target: SocketAddr = base.trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let broken = watch::Sender::new(false);
        let seen = broken.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, seen.subscribe()));
            }
        });
        Self { base, broken }
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.broken.send_replace(true);
    }

    pub fn mend(&self) {
        self.broken.send_replace(false);
    }
}

async fn carry(mut client: TcpStream, target: SocketAddr, mut broken: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        _ = broken.wait_for(|broken| *broken) => {}
        _ = async {
            if let Ok(mut server) = TcpStream::connect(target).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        } => {}
    }
}
