//! The emulator as a program.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arguments;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arm_emulator::Emulator;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command, Serve};

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(serve) = Arguments::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    match run(&serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: &Serve) -> Result<(), String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let emulator = Emulator::start(serve.config()?).await.map_err(|error| error.to_string())?;
    let ca_file = serve.ca_file.clone().or_else(|| beside(serve.env_file.as_deref()?));
    if let Some(ca_file) = &ca_file {
        write(ca_file, emulator.ca_pem())?;
    }
    if let (Some(env_file), Some(ca_file)) = (&serve.env_file, &ca_file) {
        let ca_file = std::path::absolute(ca_file).map_err(|error| error.to_string())?;
        let text = format!("ARM_ENDPOINT={}\nCA_BUNDLE={}\n", emulator.endpoint(), ca_file.display());
        write(env_file, &text)?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    emulator.stop().await;
    Ok(())
}

/// `ca.pem` in the folder of the environment file.
fn beside(env_file: &Path) -> Option<PathBuf> {
    Some(env_file.parent()?.join("ca.pem"))
}

/// Writes a file in one step, so that whoever waits for it never reads half of it.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, text)
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|error| format!("{} could not be written: {error}", path.display()))
}
