//! Asks a port for its greeting, as a client would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Connecting, shaking hands and reading: all in this time.
const PATIENCE: Duration = Duration::from_secs(3);

/// One port to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// For people.
    pub name: &'static str,
    pub address: SocketAddr,
    pub tls_first: bool,
    /// It speaks before the client does.
    pub speaks_first: bool,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Greets,
    Silent,
    /// The question did not get out: no word about the port.
    NotKnown,
}

pub struct Greeter {
    tls: Arc<ClientConfig>,
}

impl Greeter {
    /// # Errors
    /// Never with the versions that this program is built with.
    pub fn new() -> anyhow::Result<Greeter> {
        Ok(Greeter { tls: crate::tls::probe_config()? })
    }

    /// Asks from another runtime, whatever that one is busy with.
    pub async fn ask_on(self: Arc<Self>, on: &tokio::runtime::Handle, target: Target) -> Asked {
        let asking = on.spawn(async move { self.ask(target).await });
        match timeout(PATIENCE, asking).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(_)) => Asked::NotKnown,
            Err(_) => Asked::Silent,
        }
    }

    async fn ask(&self, target: Target) -> Asked {
        use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
        let mut stream = match TcpStream::connect(target.address).await {
            Ok(stream) => stream,
            Err(error)
                if [AddrNotAvailable, HostUnreachable, NetworkUnreachable]
                    .contains(&error.kind()) =>
            {
                return Asked::NotKnown;
            }
            Err(_) => return Asked::Silent,
        };
        let mut byte = [0];
        let heard = if target.tls_first {
            let name = ServerName::IpAddress(target.address.ip().into());
            match TlsConnector::from(self.tls.clone()).connect(name, stream).await {
                Ok(mut stream) if target.speaks_first => stream.read(&mut byte).await,
                Ok(_) => Ok(1),
                Err(error) => Err(error),
            }
        } else {
            stream.read(&mut byte).await
        };
        if matches!(heard, Ok(1)) { Asked::Greets } else { Asked::Silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_port_that_greets_and_one_that_nobody_listens_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Target { name: "SMTP", address, tls_first: false, speaks_first: true };
        let greeter = Arc::new(Greeter::new().unwrap());
        let here = tokio::runtime::Handle::current();
        let greet = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 here\r\n").await.unwrap();
            // One that closes without a word comes next; then the port is gone.
            drop(listener.accept().await.unwrap());
        });
        assert_eq!(greeter.clone().ask_on(&here, target).await, Asked::Greets);
        assert_eq!(greeter.clone().ask_on(&here, target).await, Asked::Silent);
        greet.await.unwrap();
        assert_eq!(greeter.ask_on(&here, target).await, Asked::Silent);
    }
}
