//! TLS: for clients (one certificate for the whole pair) and for the link (mutual, pinned keys).

use std::sync::{Arc, RwLock};

use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// The pair's certificate for clients, as it stands in the setting [`SETTING`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCertificate {
    /// DER, the server's own first.
    pub chain: Vec<Vec<u8>>,
    /// PKCS #8, DER.
    pub key: Vec<u8>,
}

/// The setting that holds the [`PairCertificate`], postcard-encoded: both boxes show the same one, so
/// a takeover asks no client anything.
pub const SETTING: &str = "tls.certificate";

impl PairCertificate {
    /// Signed by itself, for these host names and addresses. A real one comes by ACME, later.
    ///
    /// # Errors
    /// When a name is no DNS name.
    pub fn self_signed(names: Vec<String>) -> Result<PairCertificate> {
        let made = rcgen::generate_simple_self_signed(names)?;
        Ok(PairCertificate {
            chain: vec![made.cert.der().to_vec()],
            key: made.signing_key.serialize_der(),
        })
    }

    fn certified(&self) -> Result<CertifiedKey> {
        let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(self.key.clone()).into();
        let key = provider::sign::any_supported_type(&key).context("the pair's private key")?;
        Ok(CertifiedKey::new(self.chain.iter().cloned().map(Into::into).collect(), key))
    }
}

/// Gives each new connection the pair's present certificate.
#[derive(Debug)]
pub struct ClientTls {
    current: RwLock<Arc<CertifiedKey>>,
}

impl ClientTls {
    /// # Errors
    /// When the first certificate cannot be used.
    pub fn new(first: &PairCertificate) -> Result<Arc<ClientTls>> {
        Ok(Arc::new(ClientTls { current: RwLock::new(Arc::new(first.certified()?)) }))
    }

    /// # Errors
    /// When the certificate cannot be used; the old one stays.
    pub fn replace(&self, certificate: &PairCertificate) -> Result<()> {
        let certified = Arc::new(certificate.certified()?);
        *self.current.write().expect("no holder panics") = certified;
        Ok(())
    }

    /// # Errors
    /// Never with the versions that this program is built with.
    pub fn server_config(self: Arc<Self>) -> Result<Arc<ServerConfig>> {
        let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for ClientTls {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().expect("no holder panics").clone())
    }
}

/// The link's two configurations. TLS proves that the other end has the key of the certificate it
/// shows; whether that is the peer's is checked after the handshake (`link::greet`).
///
/// # Errors
/// When this box's identity cannot be used.
pub fn link_configs(identity: &Identity) -> Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let provider = Arc::new(provider::default_provider());
    let any = Arc::new(AnyCertificate { provider: provider.clone() });
    let chain = vec![identity.certificate.clone()];
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(any.clone())
        .with_client_auth_cert(chain.clone(), identity.private_key())?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(any)
        .with_single_cert(chain, identity.private_key())?;
    Ok((Arc::new(client), Arc::new(server)))
}

/// For asking this box's own ports whether they answer.
///
/// # Errors
/// Never with the versions that this program is built with.
pub fn probe_config() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(provider::default_provider());
    let any = Arc::new(AnyCertificate { provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(any)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts any certificate whose key signs the handshake.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
