//! A release of the chart in a namespace of its own, and an operator that runs as its Deployment says.

use arm_emulator::Identity;
use serde_json::{Value, json};
use stage::{Azure, Cluster, Operator};

use crate::harness::{Scene, Setting, cluster, quick_azure};

/// The application in Azure that the release's ServiceAccount is trusted for.
const CLIENT_ID: &str = "00000000-0000-4000-8000-0000000000f7";

/// What a test installed. It goes with the control plane.
pub struct Release {
    pub scene: Scene,
    /// Of the release, of its namespace and of all that it made.
    pub name: String,
}

impl Release {
    /// With flags of the operator's besides the scene's, and with values besides those that keep releases apart; those are
    /// given the scene's two namespaces.
    pub async fn install(flags: &[&'static str], values: impl FnOnce(&str, &str) -> Value) -> Self {
        let azure = Azure::start(cluster(), quick_azure()).await.unwrap();
        let setting = Setting { flags: flags.to_vec(), ..Setting::default() };
        let scene = Scene::without_operator(azure, setting).await;
        let name = scene.platform.clone();
        let issuer = cluster().control_plane().issuer().to_owned();
        let subject = format!("system:serviceaccount:{name}:{name}");
        let credential = arm_emulator::Credential::Federated { issuer, subject };
        scene.azure.register_identity(Identity { client_id: CLIENT_ID.to_owned(), credential });
        let mut all = values(&scene.platform, &scene.team);
        all["fullnameOverride"] = json!(name);
        all["rbac"] = json!({"userRoles": false});
        let file = scene.folder().join("values.json");
        std::fs::write(&file, all.to_string()).unwrap();
        cluster().install(&name, "foundry-operator", &name, &["-f", &file.display().to_string()]).unwrap();
        Self { scene, name }
    }

    /// Starts the operator as the ServiceAccount of the release, with the variables of its Deployment's container.
    pub fn start(&self) -> Operator {
        let control_plane = cluster().control_plane();
        let token = |audience| control_plane.service_account_token(&self.name, &self.name, audience).unwrap();
        let place = |name: &str, content: String| {
            let file = self.scene.folder().join(name);
            std::fs::write(&file, content).unwrap();
            file.display().to_string()
        };
        let deployment = cluster().get("deployment", &self.name, &self.name).unwrap().unwrap();
        let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        let given = variables.into_iter().filter_map(|variable| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            Some((text(&variable["name"])?, text(&variable["value"])?))
        });
        // Where the cluster and Azure are, and what a node would set.
        let elsewhere = ["FOUNDRY_AZURE_CLOUD", "FOUNDRY_HTTP_ADDRESS"];
        let placed = [
            ("KUBECONFIG", place("release.kubeconfig", control_plane.kubeconfig_yaml("release", &token(None)))),
            ("AZURE_CLIENT_ID", CLIENT_ID.to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", place("release.token", token(Some(stage::EXCHANGE_AUDIENCE)))),
            ("POD_NAMESPACE", self.name.clone()),
            ("HOSTNAME", self.name.clone()),
        ];
        let placed = placed.map(|(name, value)| (name.to_owned(), value));
        let environment = given.filter(|(name, _)| !elsewhere.contains(&name.as_str())).chain(placed).collect();
        self.scene.another_operator("release", environment)
    }

    /// What it asked of the API server.
    pub fn requests(&self) -> Vec<control_plane::AuditEvent> {
        let user = format!("system:serviceaccount:{0}:{0}", self.name);
        let events = cluster().control_plane().audit_events().unwrap();
        events.into_iter().filter(|event| event.user == user).collect()
    }
}

/// The shared cluster, for what needs no operator.
pub fn shared() -> &'static Cluster {
    cluster()
}
