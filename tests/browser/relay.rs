//! A TCP relay between the browser and the gateway that breaks on command.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections until the end of the test.
pub struct Relay {
    pub base: String,
    mode: watch::Sender<Mode>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Open,
    /// No connection lives.
    Cut,
    /// Requests pass. A connection breaks instead of passing an answer.
    Mute,
}

impl Relay {
    /// A relay to a gateway at `http://…`.
    pub async fn to(base: &str) -> Self {
        let target: SocketAddr = base.trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mode = watch::Sender::new(Mode::Open);
        let seen = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, seen.subscribe()));
            }
        });
        Self { base, mode }
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Lets requests through and loses their answers.
    pub fn mute(&self) {
        self.mode.send_replace(Mode::Mute);
    }

    pub fn mend(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

async fn carry(client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let seen = mode.clone();
    tokio::select! {
        biased;
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
        () = async {
            let Ok(server) = TcpStream::connect(target).await else { return };
            let (mut requests, mut back) = client.into_split();
            let (mut answers, mut on) = server.into_split();
            tokio::select! {
                _ = copy(&mut requests, &mut on) => {}
                () = async {
                    let mut bytes = vec![0; 64 * 1024];
                    while let Ok(count @ 1..) = answers.read(&mut bytes).await {
                        if *seen.borrow() == Mode::Mute || back.write_all(&bytes[..count]).await.is_err() {
                            return;
                        }
                    }
                } => {}
            }
        } => {}
    }
}
