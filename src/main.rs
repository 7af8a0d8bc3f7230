//! The program: `run` is the operator, `crds` prints what it needs in the cluster first, `ready` asks one that runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use foundry_operator::api;
use foundry_operator::runtime::{self, Options};

/// Azure AI Foundry hubs, projects and connections as Kubernetes objects.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator until SIGTERM or Ctrl-C.
    Run(Box<Options>),
    /// Ask an operator whether it is ready: `helm test` does.
    Ready {
        /// Where its health is: `http://HOST:PORT/readyz`.
        url: String,
    },
    /// Print the CRDs as YAML.
    Crds {
        /// Write one file for each kind into this folder instead.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(options) => runtime::run(*options),
        Command::Ready { url } => runtime::http::ask(&url),
        Command::Crds { folder } => api::manifest::write(folder.as_deref(), &mut std::io::stdout()).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error and not the log: the log may not have been set up.
            let _ =
                std::io::Write::write_all(&mut std::io::stderr(), format!("foundry-operator: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
