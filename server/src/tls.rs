//! TLS for the listener: rustls with ring, TLS 1.2 and 1.3.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::local_ca::{LocalCa, LocalCaError};
use crate::options::{Encryption, Options};

/// What the listener needs, and the local CA if there is one.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    pub(crate) config: Option<Arc<ServerConfig>>,
    pub(crate) local_ca: Option<LocalCa>,
}

/// TLS cannot be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or is not PEM; which and why.
    File(PathBuf, String),
    /// Certificate and key do not fit, or are of a kind that is not supported.
    Rejected(String),
    /// The local CA failed.
    LocalCa(LocalCaError),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Rejected(why) => write!(f, "the certificate or its key cannot be used: {why}"),
            Self::LocalCa(error) => write!(f, "local CA: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Sets up what `options` ask for. `address` is the one listened on.
pub(crate) fn set_up(options: &Options, address: IpAddr) -> Result<Tls, TlsError> {
    match &options.encryption {
        Encryption::None => Ok(Tls::default()),
        Encryption::Files { certificate, key } => Ok(Tls {
            config: Some(load(certificate, key)?),
            local_ca: None,
        }),
        Encryption::LocalCa => {
            // People copy the path from the terminal to another one.
            let folder = std::path::absolute(options.data_dir.join("local-ca"))
                .map_err(|e| TlsError::File(options.data_dir.clone(), e.to_string()))?;
            let local_ca = LocalCa::prepare(&folder, address, &options.domain).map_err(TlsError::LocalCa)?;
            let config = load(&local_ca.server_certificate, &local_ca.server_key)?;
            Ok(Tls {
                config: Some(config),
                local_ca: Some(local_ca),
            })
        }
    }
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let certificate_error =
        |e: rustls::pki_types::pem::Error| TlsError::File(certificate.to_owned(), e.to_string());
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .map_err(certificate_error)?
        .collect::<Result<_, _>>()
        .map_err(certificate_error)?;
    if chain.is_empty() {
        return Err(TlsError::File(
            certificate.to_owned(),
            "there is no certificate in it".into(),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| TlsError::File(key.to_owned(), e.to_string()))?;
    let rejected = |e: rustls::Error| TlsError::Rejected(e.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(rejected)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(rejected)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
