//! A real cluster with the operator's charts installed, an emulated Azure that trusts the cluster's ServiceAccounts, and the
//! operator's own program signed in to both as it is when installed.

mod azure;
mod cluster;
pub mod many;
mod operator;

pub use azure::{Azure, operator_credential};
pub use cluster::{Cluster, repository};
pub use operator::{Operator, Settings};

/// What went wrong on the stage.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Namespace of the operator's ServiceAccount.
pub const OPERATOR_NAMESPACE: &str = "foundry-system";
/// The operator's ServiceAccount, as the chart names it.
pub const OPERATOR_ACCOUNT: &str = "foundry-operator";
/// The application that the operator signs in to Azure as.
pub const OPERATOR_CLIENT_ID: &str = "00000000-0000-4000-8000-0000000000f0";
/// What the tokens are for that are exchanged for Azure's (ARM reference, section 11).
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Tells the person who started the program.
#[expect(clippy::print_stdout, reason = "the programs of the stage talk to who started them")]
pub fn say(text: &str) {
    println!("{text}");
}
