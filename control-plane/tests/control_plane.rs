//! Against the real programs: `make control-plane` first.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use control_plane::{ControlPlane, Options, start};
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// One for most tests, in a static, as the tests of other crates have it.
fn shared() -> Result<&'static ControlPlane, Box<dyn Error>> {
    static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    SHARED
        .get_or_init(|| Options::find().and_then(start).map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|message| message.as_str().into())
}

fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut command = cluster.kubectl();
    let output = command.arg("--request-timeout=20s").args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr)?.into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn apply(cluster: &ControlPlane, manifest: &Value) -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), manifest.to_string())?;
    let path = file.path().to_str().ok_or("not a text path")?;
    kubectl(cluster, &["apply", "--filename", path])?;
    Ok(())
}

fn eventually(limit: Duration, mut check: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if check() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    check()
}

/// A zombie is gone: it only waits for a parent that may not care, as the first process in a container.
fn is_gone(pid: u64) -> bool {
    // Small images have no ps, and macOS has no /proc.
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        return stat.map_or(true, |stat| stat.contains(") Z "));
    }
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    state.is_ok_and(|state| state.stdout.is_empty() || state.stdout.starts_with(b"Z"))
}

#[test]
fn it_is_ready_and_knows_its_version() -> Outcome {
    let cluster = shared()?;
    assert!(cluster.server().starts_with("https://127.0.0.1:"));
    assert!(cluster.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(kubectl(cluster, &["get", "--raw", "/readyz"])?, "ok");
    let version: Value = serde_json::from_str(&kubectl(cluster, &["get", "--raw", "/version"])?)?;
    assert_eq!(version["major"], "1");
    let who = kubectl(cluster, &["auth", "whoami", "--output=json"])?;
    assert!(who.contains("system:masters"), "{who}");
    Ok(())
}

#[test]
fn a_namespace_really_terminates() -> Outcome {
    let cluster = shared()?;
    let definition = serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "wheels.test.example"},
        "spec": {
            "group": "test.example",
            "scope": "Namespaced",
            "names": {"kind": "Wheel", "plural": "wheels"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }],
        },
    });
    apply(cluster, &definition)?;
    let established = ["wait", "--for=condition=Established", "crd/wheels.test.example"];
    kubectl(cluster, &established)?;
    kubectl(cluster, &["create", "namespace", "ends"])?;
    kubectl(cluster, &["create", "configmap", "thing", "--namespace=ends"])?;
    let wheel = serde_json::json!({
        "apiVersion": "test.example/v1",
        "kind": "Wheel",
        "metadata": {"name": "front", "namespace": "ends"},
    });
    apply(cluster, &wheel)?;

    // Returns only when the namespace is gone, and that only when all in it is.
    let begin = Instant::now();
    kubectl(cluster, &["delete", "namespace", "ends", "--timeout=20s"])?;
    assert!(begin.elapsed() < Duration::from_secs(20));
    let left = kubectl(cluster, &["get", "configmaps,wheels", "--all-namespaces"])?;
    assert!(!left.contains("ends"), "{left}");
    Ok(())
}

#[test]
fn what_lost_its_owner_is_collected() -> Outcome {
    let cluster = shared()?;
    kubectl(cluster, &["create", "configmap", "owner"])?;
    let uid = ["get", "configmap", "owner", "--output=jsonpath={.metadata.uid}"];
    let uid = kubectl(cluster, &uid)?;
    let owned = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "owned",
            "namespace": "default",
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}],
        },
    });
    apply(cluster, &owned)?;
    kubectl(cluster, &["delete", "configmap", "owner"])?;
    let gone = || kubectl(cluster, &["get", "configmap", "owned"]).is_err();
    assert!(eventually(Duration::from_secs(20), gone));
    Ok(())
}

#[test]
fn a_workload_identity_token_can_be_verified() -> Outcome {
    let cluster = shared()?;
    kubectl(cluster, &["create", "serviceaccount", "operator"])?;
    let audience = "api://AzureADTokenExchange";
    let token = cluster.service_account_token("default", "operator", Some(audience))?;
    let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let (header, claims) = signed.split_once('.').ok_or("no claims")?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part);
    let header: Value = serde_json::from_slice(&decode(header)?)?;
    let claims: Value = serde_json::from_slice(&decode(claims)?)?;
    assert_eq!(header["alg"], "RS256");
    assert_eq!(claims["iss"], cluster.issuer());
    assert_eq!(claims["aud"], serde_json::json!([audience]));
    assert_eq!(claims["sub"], "system:serviceaccount:default:operator");
    let lifetime = claims["exp"].as_u64().ok_or("no exp")? - claims["iat"].as_u64().ok_or("no iat")?;
    assert_eq!(lifetime, 24 * 3600);

    let jwks = cluster.jwks()?;
    let keys = jwks["keys"].as_array().ok_or("no keys")?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]);
    let number = |name: &str| {
        let text = key.and_then(|key| key[name].as_str()).unwrap_or_default();
        decode(text)
    };
    let key = PublicKeyComponents { n: number("n")?, e: number("e")? };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)?)?;
    Ok(())
}

#[test]
fn a_token_works_in_a_kubeconfig_and_has_no_rights() -> Outcome {
    let cluster = shared()?;
    kubectl(cluster, &["create", "serviceaccount", "guest"])?;
    let token = cluster.service_account_token("default", "guest", None)?;
    let kubeconfig = tempfile::NamedTempFile::new()?;
    std::fs::write(kubeconfig.path(), cluster.kubeconfig_yaml("guest", &token))?;
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.path().display());
    let who = kubectl(cluster, &[&kubeconfig, "auth", "whoami", "--output=json"])?;
    assert!(who.contains("system:serviceaccount:default:guest"), "{who}");
    let refused = kubectl(cluster, &[&kubeconfig, "get", "secrets"]);
    let message = refused.err().map(|error| error.to_string());
    assert!(message.is_some_and(|message| message.contains("Forbidden")));
    Ok(())
}

#[test]
fn the_audit_log_has_a_request() -> Outcome {
    let cluster = shared()?;
    kubectl(cluster, &["create", "configmap", "audited"])?;
    let mut found = None;
    eventually(Duration::from_secs(10), || {
        let events = cluster.audit_events().unwrap_or_default();
        found = events.into_iter().find(|event| event.name == "audited" && event.verb == "create");
        found.is_some()
    });
    let event = found.ok_or("not in the log")?;
    assert_eq!(event.user, "admin");
    assert_eq!(event.resource, "configmaps");
    assert_eq!(event.subresource, "");
    assert_eq!(event.namespace, "default");
    assert_eq!(event.code, 201);
    assert!(event.user_agent.starts_with("kubectl/"), "{event:?}");
    assert!(event.request_uri.starts_with("/api/v1/namespaces/default/configmaps"));
    assert!(event.time.ends_with('Z'), "{event:?}");
    Ok(())
}

#[test]
fn an_error_of_kubectl_says_what_and_why() -> Outcome {
    let refused = shared()?.service_account_token("default", "nobody", None);
    let message = refused.err().map(|error| error.to_string());
    let message = message.ok_or("a token of nobody")?;
    assert!(message.starts_with("kubectl create token nobody"), "{message}");
    assert!(message.contains("not found"), "{message}");
    Ok(())
}

/// Two at once, of which one leaves its state for a third.
#[test]
fn control_planes_do_not_meet_and_a_named_folder_stays() -> Outcome {
    let first = shared()?;
    let folder = tempfile::tempdir()?;
    // Longer than the path of a socket may be.
    let options = Options { folder: Some(folder.path().join("long".repeat(30))), ..Options::find()? };
    let second = start(options.clone())?;
    assert_ne!(first.server(), second.server());
    kubectl(&second, &["create", "namespace", "only-here"])?;
    assert!(kubectl(first, &["get", "namespace", "only-here"]).is_err());
    let keys = second.jwks()?;
    let pids: Vec<_> = second.pids().map(|(_, pid)| u64::from(pid)).collect();
    assert_eq!(pids.len(), 3);
    let message = start(options.clone()).err().map(|error| error.to_string());
    assert!(message.is_some_and(|message| message.contains("another control plane")));
    second.stop();
    assert!(pids.into_iter().all(is_gone));

    let third = start(options)?;
    kubectl(&third, &["get", "namespace", "only-here"])?;
    assert_eq!(third.jwks()?, keys);
    Ok(())
}

#[test]
fn a_temporary_folder_is_removed() -> Outcome {
    let cluster = Options::find().and_then(start)?;
    let folder = cluster.folder().to_owned();
    assert!(cluster.admin_kubeconfig().is_file());
    drop(cluster);
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn nothing_outlives_a_parent_that_is_killed() -> Outcome {
    let mut parent = Command::new(example("hold")?).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let output = parent.stdout.take().ok_or("no output")?;
    // Ends at the latest with the start's own time limit.
    BufReader::new(output).read_line(&mut line)?;
    let place: Value = serde_json::from_str(&line)?;
    let pids: Vec<_> = place["pids"].as_array().ok_or("no pids")?.iter().filter_map(Value::as_u64).collect();
    let folder = Path::new(place["folder"].as_str().ok_or("no folder")?);
    assert_eq!(pids.len(), 3);
    assert!(folder.is_dir() && !pids.iter().any(|pid| is_gone(*pid)));

    parent.kill()?;
    parent.wait()?;
    let limit = Duration::from_secs(10);
    assert!(eventually(limit, || pids.iter().all(|pid| is_gone(*pid))));
    assert!(eventually(limit, || !folder.exists()));
    Ok(())
}

#[test]
fn a_program_that_fails_shows_its_log() -> Outcome {
    let mut options = Options::find()?;
    // etcd knows none of these flags.
    options.binaries.kube_apiserver = options.binaries.etcd.clone();
    let message = start(options).err().map(|error| error.to_string());
    let message = message.ok_or("etcd became an API server")?;
    assert!(message.starts_with("kube-apiserver ended (exit status: "), "{message}");
    assert!(message.contains("not defined: -etcd-servers"), "{message}");
    let log = message.split_whitespace().find(|word| word.contains(".log"));
    let log = PathBuf::from(log.ok_or("no path")?.trim_end_matches(':'));
    assert!(log.is_file());
    std::fs::remove_file(log)?;
    Ok(())
}

/// Cargo builds the examples of a package with its tests.
fn example(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).ok_or("no target folder")?;
    let example = profile.join("examples").join(name);
    if !example.is_file() {
        return Err(format!("build it: cargo build -p control-plane --example {name}").into());
    }
    Ok(example)
}
