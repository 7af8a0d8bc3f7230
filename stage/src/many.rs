//! Many objects at once, as the benches need them.

use std::fs;
use std::path::Path;

use crate::{Cluster, Failure};

/// The namespace that the objects are in.
pub const NAMESPACE: &str = "bench";

/// The manifest of a hub `hub-{number}`.
#[must_use]
pub fn hub(number: usize) -> String {
    let provider = format!("/subscriptions/{}/resourceGroups/rg-ai/providers", arm_emulator::DEFAULT_SUBSCRIPTION);
    let spec = format!(
        "subscriptionId: {}, resourceGroup: rg-ai, location: westeurope,
  storageAccount: {{resourceId: {provider}/Microsoft.Storage/storageAccounts/stbench{number}}},
  keyVault: {{resourceId: {provider}/Microsoft.KeyVault/vaults/kv-bench-{number}}}",
        arm_emulator::DEFAULT_SUBSCRIPTION
    );
    object("FoundryHub", &format!("hub-{number}"), &spec)
}

/// The manifest of an object, with what is between the braces of its spec.
#[must_use]
pub fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: foundryoperator.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\nspec: {{{spec}}}\n"
    )
}

/// Has kubectl `create` or `apply` all of these, `at_once` with each, and by several of them at the same time: one makes one
/// call after the other. The manifests go into `folder`.
///
/// # Errors
/// What a kubectl printed to standard error, where it failed.
pub fn make(verb: &str, cluster: &Cluster, folder: &Path, manifests: &[String], at_once: usize) -> Result<(), Failure> {
    let some = |(number, some): (usize, &[String])| -> Result<(), Failure> {
        let file = folder.join(format!("objects-{number}.yaml"));
        fs::write(&file, some.concat())?;
        cluster.kubectl(&[verb, "-f", &file.display().to_string()]).map(|_| ())
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = manifests.chunks(at_once).enumerate().map(|part| scope.spawn(move || some(part))).collect();
        parts.into_iter().try_for_each(|part| part.join().map_err(|_| "a kubectl was not waited for")?)
    })
}

/// A count to reckon with.
#[must_use]
pub fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
