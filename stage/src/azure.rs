//! Azure, emulated, trusting the cluster's ServiceAccounts.

use std::ops::Deref;

use arm_emulator::{Config, Credential, Emulator, Identity, Issuer};

use crate::{Cluster, Failure, OPERATOR_ACCOUNT, OPERATOR_CLIENT_ID, OPERATOR_NAMESPACE};

/// The operator's ServiceAccount, as Azure knows it.
#[must_use]
pub fn operator_credential(cluster: &Cluster) -> Credential {
    Credential::Federated {
        issuer: cluster.control_plane().issuer().to_owned(),
        subject: format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}"),
    }
}

/// An emulator at which the operator's ServiceAccount is registered for the operator's application.
pub struct Azure {
    emulator: Emulator,
}

impl Azure {
    /// Starts one; `config` says all but who may sign in.
    ///
    /// # Errors
    /// Where it cannot listen, or the cluster does not give its keys.
    pub async fn start(cluster: &Cluster, config: Config) -> Result<Self, Failure> {
        let control_plane = cluster.control_plane();
        let config = Config {
            issuers: vec![Issuer { url: control_plane.issuer().to_owned(), jwks: control_plane.jwks()? }],
            identities: vec![Identity {
                client_id: OPERATOR_CLIENT_ID.to_owned(),
                credential: operator_credential(cluster),
            }],
            ..config
        };
        Ok(Self { emulator: Emulator::start(config).await? })
    }

    /// Stops it.
    pub async fn stop(self) {
        self.emulator.stop().await;
    }
}

impl Deref for Azure {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}
