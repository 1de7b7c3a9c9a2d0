//! Mutual TLS between the members of a cluster.

use ballista_core::extension::EndpointOverrideFn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig};

/// Files of a folder of keys.
pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const CERTIFICATE: &str = "member.pem";
pub(crate) const KEY: &str = "member.key";

/// The name that every member's certificate has: members are known by their key, wherever they are.
pub(crate) const NAME: &str = "allclear-cluster";

/// Keys by which the members of a cluster know each other.
#[derive(Clone)]
pub struct Tls {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error("the keys cannot be used: {0}")]
    Unusable(String),
}

impl Tls {
    /// The keys of a folder that [`crate::keys::make`] made.
    pub fn of_folder(folder: &Path) -> Result<Self, TlsError> {
        #[expect(clippy::disallowed_methods, reason = "keys are settings, no evidence")]
        let read = |name: &str| {
            let path = folder.join(name);
            let mut bytes = Vec::new();
            std::fs::File::open(&path)
                .and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes))
                .map_err(|error| TlsError::Read(path, error))?;
            Ok(bytes)
        };
        let tls = Self {
            authority: read(AUTHORITY)?,
            certificate: read(CERTIFICATE)?,
            key: read(KEY)?,
        };
        // Damaged keys are told now and not by the first connection that fails.
        Endpoint::from_static("https://localhost")
            .tls_config(tls.client())
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        Ok(tls)
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }

    pub(crate) fn client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .domain_name(NAME)
            .ca_certificate(Certificate::from_pem(&self.authority))
            .identity(self.identity())
    }

    /// Connections without a certificate of the cluster's authority are refused.
    pub(crate) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity())
            .client_ca_root(Certificate::from_pem(&self.authority))
    }

    /// Makes every connection that Ballista opens one by these keys.
    pub(crate) fn endpoints(&self) -> EndpointOverrideFn {
        let client = self.client();
        Arc::new(move |endpoint: Endpoint| {
            let authority = endpoint.uri().authority().map(ToString::to_string);
            let address = format!("https://{}", authority.unwrap_or_default());
            let endpoint = Endpoint::from_shared(address)?
                .tls_config(client.clone())?
                .connect_timeout(std::time::Duration::from_secs(20))
                .tcp_nodelay(true);
            Ok(endpoint)
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tls")
    }
}
