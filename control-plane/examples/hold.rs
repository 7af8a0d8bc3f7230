//! Runs a control plane until the standard input closes. The first line of the output says in JSON
//! where it is.

use std::error::Error;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let cluster = control_plane::start(control_plane::Options::find()?)?;
    let pids: Vec<u32> = cluster.pids().map(|(_, pid)| pid).collect();
    let place = serde_json::json!({
        "server": cluster.server(),
        "folder": cluster.folder(),
        "kubeconfig": cluster.admin_kubeconfig(),
        "pids": pids,
    });
    writeln!(std::io::stdout(), "{place}")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    cluster.stop();
    Ok(())
}
