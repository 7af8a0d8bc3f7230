//! The HTTP client for ARM and sign-in: whom it trusts, and how that changes without a restart.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ArmError;

/// The HTTP client, made when it is first needed and made anew when the file of authorities changed.
#[derive(Debug)]
pub struct Transport {
    bundle: Option<PathBuf>,
    current: Mutex<Option<Trusting>>,
}

#[derive(Debug)]
struct Trusting {
    pem: Option<Vec<u8>>,
    http: reqwest::Client,
    /// A server was not reached or trusted since the bundle was last looked at.
    doubted: bool,
}

impl Transport {
    /// A client that trusts the authorities in `bundle` (a PEM file) besides the system's.
    #[must_use]
    pub fn new(bundle: Option<PathBuf>) -> Self {
        Self { bundle, current: Mutex::default() }
    }

    /// The client; copies share their connections.
    ///
    /// # Errors
    /// Where the bundle cannot be read or holds what is no certificate.
    pub fn client(&self) -> Result<reqwest::Client, ArmError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trusting) = &mut *current {
            // A bundle that cannot be read right now is being replaced, perhaps: what was read before serves until then.
            let changed = std::mem::take(&mut trusting.doubted) && self.read().is_ok_and(|pem| pem != trusting.pem);
            if !changed {
                return Ok(trusting.http.clone());
            }
            tracing::info!("the CA bundle has changed; trusting what it holds now");
        }
        let pem = self.read()?;
        let http = client(pem.as_deref()).map_err(|error| self.unusable(&super::client::chain(&error)))?;
        *current = Some(Trusting { pem, http: http.clone(), doubted: false });
        Ok(http)
    }

    /// To be called when a server was not reached or not trusted: before the next call, the bundle is looked at again.
    pub fn doubt(&self) {
        if let Some(trusting) = &mut *self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            trusting.doubted = true;
        }
    }

    /// A mounted file of a few kilobytes: nobody waits for it.
    fn read(&self) -> Result<Option<Vec<u8>>, ArmError> {
        let Some(file) = &self.bundle else { return Ok(None) };
        std::fs::read(file).map(Some).map_err(|error| self.unusable(&error.to_string()))
    }

    fn unusable(&self, why: &str) -> ArmError {
        let file = self.bundle.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        ArmError::misconfigured(
            &format!("--ca-bundle {file}: {why}"),
            "put the certificate authorities (PEM) into that file; it is read again, without a restart",
        )
    }
}

fn client(ca_bundle: Option<&[u8]>) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("foundry-operator/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_bundle {
        let authorities = reqwest::Certificate::from_pem_bundle(pem)?;
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build()
}
