//! What two replicas need, and what they leave behind: who had the lease when, and who wrote when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arm_emulator::{Config, Identity};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::DeleteParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use stage::{Azure, Operator, operator_credential, repository};

use crate::harness::{PATIENCE, Scene, Setting, cluster, quick_azure};

const NAMES: [&str; 2] = ["a", "b"];
const LEASE: &str = "foundry-operator";

/// A time in which one process had the lease.
#[derive(Debug)]
struct Term {
    holder: String,
    begins: Timestamp,
    /// Without another renewal, or being given back.
    ends: Timestamp,
}

impl Term {
    fn is_of(&self, replica: &str) -> bool {
        self.holder.split_once('_').is_some_and(|(name, _)| name == replica)
    }
}

/// Something that was changed, in Azure or in the cluster.
struct Write {
    replica: &'static str,
    at: Timestamp,
    what: String,
}

pub struct Crew {
    pub scene: Scene,
    leases: Api<Lease>,
    /// Every version of the lease.
    history: Arc<Mutex<Vec<Lease>>>,
}

impl Crew {
    /// The lease lies in a namespace of its own; its rules are those that are installed.
    pub async fn new(lease_duration: &'static str) -> Self {
        let azure = Config { journal_capacity: 1_000_000, ..quick_azure() };
        let azure = Azure::start(cluster(), azure).await.unwrap();
        for name in NAMES {
            azure
                .register_identity(Identity { client_id: client_id(name), credential: operator_credential(cluster()) });
        }
        let flags = vec!["--leader-elect", "true", "--lease-duration", lease_duration];
        let scene = Scene::without_operator(azure, Setting { flags, ..Setting::default() }).await;
        let namespace = scene.platform.clone();
        let installed = |file: &str| std::fs::read_to_string(repository().join("config/rbac").join(file)).unwrap();
        let here = |manifest: String| {
            manifest.replace("\n  namespace: foundry-system", &format!("\n  namespace: {namespace}"))
        };
        cluster().apply(&here(installed("role.yaml"))).unwrap();
        for name in NAMES {
            let account = format!("{namespace}:{name}");
            let to = format!("--serviceaccount={account}");
            let kubectl = |arguments: &[&str]| cluster().kubectl(arguments).unwrap();
            kubectl(&["create", "serviceaccount", "-n", &namespace, name]);
            kubectl(&["create", "rolebinding", "-n", &namespace, name, "--role=foundry-operator", &to]);
            let of_all = format!("{namespace}-{name}");
            kubectl(&["create", "clusterrolebinding", &of_all, "--clusterrole=foundry-operator", &to]);
        }
        let leases: Api<Lease> = Api::namespaced(scene.client.clone(), &namespace);
        let history: Arc<Mutex<Vec<Lease>>> = Arc::default();
        let written = history.clone();
        let versions = watcher(leases.clone(), watcher::Config::default()).applied_objects();
        tokio::spawn(versions.for_each(move |lease| {
            written.lock().unwrap().push(lease.unwrap());
            std::future::ready(())
        }));
        Self { scene, leases, history }
    }

    pub fn start(&self, name: &str) -> Operator {
        self.start_with(name, &[])
    }

    pub fn start_with(&self, name: &str, environment: &[(&str, &str)]) -> Operator {
        let control_plane = cluster().control_plane();
        let token = control_plane.service_account_token(&self.scene.platform, name, None).unwrap();
        let kubeconfig = self.scene.folder().join(format!("{name}.kubeconfig"));
        std::fs::write(&kubeconfig, control_plane.kubeconfig_yaml(name, &token)).unwrap();
        let own = [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("AZURE_CLIENT_ID", client_id(name)),
            ("POD_NAMESPACE", self.scene.platform.clone()),
            ("HOSTNAME", name.to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let other = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.scene.another_operator(name, own.into_iter().chain(other).collect())
    }

    /// Who has the lease now.
    pub fn leader(&self) -> Option<&'static str> {
        let history = self.history.lock().unwrap();
        let holder = history.last()?.spec.as_ref()?.holder_identity.clone()?;
        NAMES.into_iter().find(|name| holder.starts_with(&format!("{name}_")))
    }

    pub async fn until_leads(&self, name: &str) {
        self.scene.eventually(&format!("led by {name}"), || self.leader() == Some(name)).await;
    }

    pub async fn until_somebody_leads(&self) -> &'static str {
        self.scene.eventually("led", || self.leader().is_some()).await;
        self.leader().unwrap()
    }

    /// Waits until a leader has written to Azure once more, or leads no longer; false where it does not.
    pub async fn writes_or_ends(&self, (name, replica): &(&str, Operator)) -> bool {
        let so_far = self.calls(name);
        let writes = || self.calls(name) > so_far;
        let leads = || replica.is_running() && self.leader() == Some(*name);
        self.scene.eventually(&format!("written to by {name}"), || writes() || !leads()).await;
        writes()
    }

    /// Waits until a replica leads, or has ended; false where it has.
    pub async fn leads_or_ends(&self, (name, replica): &(&str, Operator)) -> bool {
        let leads = || self.leader() == Some(*name);
        self.scene.eventually(&format!("led by {name}"), || leads() || !replica.is_running()).await;
        leads()
    }

    fn calls(&self, name: &str) -> usize {
        let client_id = client_id(name);
        self.scene.writes().iter().filter(|call| call.client_id.as_deref() == Some(&client_id)).count()
    }

    pub async fn until_ended(&self, operator: &Operator) {
        self.scene.eventually("ended", || !operator.is_running()).await;
    }

    /// Waits until what an operator answers contains a text.
    pub async fn until_answers(&self, operator: &Operator, path: &str, text: &str) {
        self.scene.eventually("listening", || operator.http_address().is_some()).await;
        let url = format!("{}{path}", operator.http_address().unwrap());
        let mut answer = String::new();
        let wait = async {
            while !answer.contains(text) {
                answer = reqwest::get(&url).await.unwrap().text().await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{path} does not say {text}");
    }

    pub async fn delete_lease(&self) {
        self.leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    }

    /// How often the lease went to another process.
    pub fn terms(&self) -> usize {
        terms(&self.history.lock().unwrap()).len()
    }

    /// Who has written anything.
    pub fn writers(&self) -> Vec<&'static str> {
        self.written().iter().map(|write| write.replica).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What was written by a replica that did not have the lease then.
    pub fn strays(&self) -> Vec<String> {
        let terms = terms(&self.history.lock().unwrap());
        let overlapping = terms.windows(2).filter(|two| two[1].begins < two[0].ends).map(|two| format!("{two:?}"));
        let legal = |write: &Write| {
            terms.iter().any(|term| term.is_of(write.replica) && (term.begins..term.ends).contains(&write.at))
        };
        let written = self.written();
        let stray = written.iter().filter(|write| !legal(write));
        overlapping.chain(stray.map(|write| format!("{} by {}: {}", write.at, write.replica, write.what))).collect()
    }

    fn written(&self) -> Vec<Write> {
        let to_azure = self.scene.writes().into_iter().filter_map(|call| {
            let replica = NAMES.into_iter().find(|name| call.client_id.as_deref() == Some(&client_id(name)))?;
            Some(Write { replica, at: call.time, what: format!("{} {}", call.method, call.path) })
        });
        let audit = cluster().control_plane().audit_events().unwrap();
        let to_cluster = audit.into_iter().filter_map(|event| {
            let account =
                event.user.strip_prefix(&format!("system:serviceaccount:{}:", self.scene.platform))?.to_owned();
            let replica = NAMES.into_iter().find(|name| *name == account)?;
            // What was refused by its resourceVersion has changed nothing; the lease itself is how one gets to lead.
            let changed = event.code < 300 && !["get", "list", "watch"].contains(&event.verb.as_str());
            (changed && event.resource != "leases").then(|| Write {
                replica,
                at: event.time.parse().unwrap(),
                what: format!("{} {} {}", event.verb, event.resource, event.name),
            })
        });
        to_azure.chain(to_cluster).collect()
    }
}

fn client_id(name: &str) -> String {
    format!("00000000-0000-4000-8000-00000000000{name}")
}

fn terms(history: &[Lease]) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for spec in history.iter().filter_map(|lease| lease.spec.as_ref()) {
        let renewed = spec.renew_time.as_ref().unwrap().0;
        let lasts = Duration::from_secs(spec.lease_duration_seconds.unwrap().try_into().unwrap());
        match (&spec.holder_identity, terms.last_mut()) {
            (None, Some(last)) => last.ends = renewed,
            (Some(holder), Some(last)) if last.holder == *holder => last.ends = renewed + lasts,
            (Some(holder), _) => {
                let begins = spec.acquire_time.as_ref().unwrap().0;
                terms.push(Term { holder: holder.clone(), begins, ends: renewed + lasts });
            }
            (None, None) => {}
        }
    }
    terms
}
