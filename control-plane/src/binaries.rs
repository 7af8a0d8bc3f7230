use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// Where the programs of the control plane are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The store of the API server.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controllers that end namespaces, collect what lost its owner, and make service accounts.
    pub kube_controller_manager: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
    /// What installs charts.
    pub helm: PathBuf,
}

impl Binaries {
    /// Looks for each program in the folder that `KUBEBUILDER_ASSETS` names, then in
    /// `target/control-plane` of the workspace, where `make control-plane` builds what is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] for the first program that is in neither.
    pub fn find() -> Result<Self, Error> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let built = workspace.map(|root| root.join("target").join("control-plane"));
        let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        // Without these two the folder is of no use, and `make control-plane` does not use it either.
        let assets = assets.filter(|folder| ["etcd", "kube-apiserver"].iter().all(|name| folder.join(name).is_file()));
        Self::find_in(assets.into_iter().chain(built).collect())
    }

    fn find_in(mut folders: Vec<PathBuf>) -> Result<Self, Error> {
        // The programs run in another folder, where a relative path would lead nowhere.
        for folder in &mut folders {
            *folder = std::path::absolute(&*folder).map_err(Error::io(format!("resolve {}", folder.display())))?;
        }
        let find = |program: &'static str| {
            folders
                .iter()
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
                .ok_or_else(|| Error::Missing { program, looked_in: folders.clone() })
        };
        Ok(Self {
            etcd: find("etcd")?,
            kube_apiserver: find("kube-apiserver")?,
            kube_controller_manager: find("kube-controller-manager")?,
            kubectl: find("kubectl")?,
            helm: find("helm")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_wins_program_by_program() -> Result<(), Box<dyn std::error::Error>> {
        let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for program in ["etcd", "kube-apiserver"] {
            std::fs::write(first.path().join(program), "")?;
        }
        for program in ["etcd", "kube-controller-manager", "kubectl", "helm"] {
            std::fs::write(second.path().join(program), "")?;
        }
        let found = Binaries::find_in(vec![first.path().into(), second.path().into()])?;
        assert_eq!(found.etcd, first.path().join("etcd"));
        assert_eq!(found.kube_apiserver, first.path().join("kube-apiserver"));
        assert_eq!(found.kubectl, second.path().join("kubectl"));
        Ok(())
    }

    #[test]
    fn what_is_missing_is_said_with_the_remedy() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let error = Binaries::find_in(vec![folder.path().into()]).err();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("no etcd in"), "{message}");
        assert!(message.contains("make control-plane"), "{message}");
        Ok(())
    }
}
