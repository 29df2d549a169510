//! A connection: plain or TLS, read by lines and by counted bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::limits::REPLY_BYTES_MAX;
use crate::{Error, Result};

/// A connection to a server of a box, named after its protocol in errors.
pub struct Stream {
    protocol: &'static str,
    inner: BufReader<Inner>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects in the clear. `limit` holds for the connection and then for each read and write.
    pub fn plain(protocol: &'static str, address: SocketAddr, limit: Duration) -> Result<Self> {
        let tcp = connect(address, limit).map_err(|error| failed(protocol, error))?;
        Ok(Self { protocol, inner: BufReader::new(Inner::Plain(tcp)) })
    }

    /// Connects by TLS, whatever certificate the server shows: boxes sign their own at first.
    pub fn tls(protocol: &'static str, address: SocketAddr, limit: Duration) -> Result<Self> {
        let tcp = connect(address, limit).map_err(|error| failed(protocol, error))?;
        let name = ServerName::IpAddress(address.ip().into());
        let session = ClientConnection::new(tls_config(), name)
            .map_err(|error| failed(protocol, io::Error::other(error)))?;
        let inner = Inner::Tls(Box::new(StreamOwned::new(session, tcp)));
        Ok(Self { protocol, inner: BufReader::new(inner) })
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let protocol = self.protocol;
        let inner = self.inner.get_mut();
        inner.write_all(bytes).and_then(|()| inner.flush()).map_err(|error| failed(protocol, error))
    }

    /// The next line, without its CRLF, as text: bytes that are no UTF-8 are replaced.
    pub fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.line()?).into_owned())
    }

    /// The next line, without its CRLF.
    pub fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.inner)
            .take(REPLY_BYTES_MAX as u64)
            .read_until(b'\n', &mut line)
            .map_err(|error| failed(self.protocol, error))?;
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                let length = text.len();
                line.truncate(length);
                Ok(line)
            }
            None if line.is_empty() => {
                Err(failed(self.protocol, io::ErrorKind::UnexpectedEof.into()))
            }
            None => Err(self.unexpected("a line that ends in CRLF", &line)),
        }
    }

    /// Exactly so many bytes.
    pub fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > REPLY_BYTES_MAX {
            return Err(self.unexpected("a length within reason", length.to_string().as_bytes()));
        }
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes).map_err(|error| failed(self.protocol, error))?;
        Ok(bytes)
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.inner)
            .take(REPLY_BYTES_MAX as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| failed(self.protocol, error))?;
        Ok(bytes)
    }

    /// The error for an answer that was not the expected one.
    pub fn unexpected(&self, expected: impl Into<String>, got: &[u8]) -> Error {
        let mut got = String::from_utf8_lossy(got).into_owned();
        if got.len() > 300 {
            got = got.chars().take(300).collect::<String>() + "…";
        }
        Error::Server { protocol: self.protocol, expected: expected.into(), got }
    }
}

impl Read for Inner {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inner::Plain(stream) => stream.read(buffer),
            Inner::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Inner {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Inner::Plain(stream) => stream.write(bytes),
            Inner::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Inner::Plain(stream) => stream.flush(),
            Inner::Tls(stream) => stream.flush(),
        }
    }
}

fn failed(protocol: &'static str, source: io::Error) -> Error {
    Error::Connection { protocol, source }
}

fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, limit)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(limit))?;
    tcp.set_write_timeout(Some(limit))?;
    Ok(tcp)
}

fn tls_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

/// Believes any certificate, but not that a server holds the key of one that it only copied.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
