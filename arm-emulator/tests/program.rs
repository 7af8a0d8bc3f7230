//! The program, started as a person starts it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the program whatever happens to the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn value(env_file: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(env_file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

#[tokio::test]
async fn it_tells_where_it_listens_and_ends_when_it_is_told() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("program-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let env_file = folder.join("emulator.env");
    let child = Command::new(env!("CARGO_BIN_EXE_arm-emulator"))
        .args(["serve", "--listen", "127.0.0.1:0", "--env-file"])
        .arg(&env_file)
        .env("ARM_EMULATOR_CREATE_SECONDS", "0.25")
        .env("ARM_EMULATOR_CLIENT_SECRET_IDENTITIES", "client-id=c,secret=never-logged")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let endpoint = wait_for("the address", || value(&env_file, "ARM_ENDPOINT"));
    let ca = value(&env_file, "CA_BUNDLE").unwrap();
    assert!(Path::new(&ca).is_absolute());
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let settings = client.get(format!("{endpoint}/_emulator/settings")).send().await.unwrap().text().await.unwrap();
    assert!(settings.contains("\"create\":0.25"), "{settings}");

    let told = Command::new("kill").arg(program.0.id().to_string()).status().unwrap();
    assert!(told.success());
    let status = wait_for("the end", || program.0.try_wait().unwrap());
    assert!(status.success());
    std::fs::remove_dir_all(folder).unwrap();
}
