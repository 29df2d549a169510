//! A TLS connection that is read by lines and by counted bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

pub struct Wire {
    inner: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Wire {
    /// Connects; `limit` holds for each read and write from then on. The certificate may be anybody's: boxes sign
    /// their own at first.
    pub fn connect(address: SocketAddr, limit: Duration) -> Result<Wire> {
        let tcp = TcpStream::connect_timeout(&address, limit)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(limit))?;
        tcp.set_write_timeout(Some(limit))?;
        let name = ServerName::IpAddress(address.ip().into());
        let session = ClientConnection::new(config(), name)?;
        Ok(Wire { inner: BufReader::new(StreamOwned::new(session, tcp)) })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let stream = self.inner.get_mut();
        stream.write_all(bytes.as_ref())?;
        stream.flush()?;
        Ok(())
    }

    /// The next line without its CRLF; bytes that are no UTF-8 are replaced.
    pub fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.inner.read_until(b'\n', &mut line)?;
        ensure!(!line.is_empty(), "the server closed the connection");
        let text = String::from_utf8_lossy(&line);
        ensure!(text.ends_with("\r\n"), "a line without CRLF: {text:?}");
        Ok(text[..text.len() - 2].to_owned())
    }

    pub fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next line, CRLF included, byte for byte.
    pub fn raw_line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.inner.read_until(b'\n', &mut line)?;
        ensure!(!line.is_empty(), "the server closed the connection");
        Ok(line)
    }
}

fn config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

/// Takes any certificate, but the server must hold its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
