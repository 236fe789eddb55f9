//! A test's own Postgres cluster, which can crash, hang, restart and have replicas. Needs the
//! server's programs (`apt-get install postgresql`), not a running server.

mod hang;
mod installation;
mod replica;

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::installation::{
    as_postgres, copy, data, directory, other_user, output, program, template,
};
use crate::ports;
use crate::process::{Process, Signal};
use crate::servers::certificate::TlsFiles;
use crate::wait::{PATIENCE, eventually};

const STARTS_MAX: usize = 10;

/// A cluster on a port of its own. Its superuser is `postgres`, with any password.
pub struct Postgres {
    port: u16,
    dir: TempDir,
    settings: Vec<String>,
    process: Mutex<Option<Process>>,
    /// The files of its certificate.
    tls_dir: Option<TempDir>,
}

impl Postgres {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings like `max_connections=20`.
    pub async fn start_with(settings: &[&str]) -> Self {
        let dir = directory();
        copy(template(), &data(dir.path()));
        Self::start_in(dir, settings.iter().map(|&setting| setting.to_owned()).collect()).await
    }

    /// With the data in `dir`.
    async fn start_in(dir: TempDir, settings: Vec<String>) -> Self {
        for _ in 0..STARTS_MAX {
            let port = ports::free();
            if let Some(process) = launch(port, dir.path(), &settings).await {
                let process = Mutex::new(Some(process));
                return Self { port, dir, settings, process, tls_dir: None };
            }
        }
        panic!("postgres found no free port");
    }

    /// A server that also offers TLS.
    pub async fn start_with_tls(files: &TlsFiles) -> Self {
        // It reads no key that others can read, and it runs as its own user.
        let own = directory();
        let [certificate, key] = ["server.pem", "server.key"].map(|name| own.path().join(name));
        std::fs::copy(files.certificate(), &certificate).unwrap();
        std::fs::copy(files.key(), &key).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        if let Some((user, group)) = other_user() {
            chown(&key, Some(user), Some(group)).unwrap();
        }
        let file = |name: &str, path: &Path| format!("{name}={}", path.display());
        let settings = [file("ssl_cert_file", &certificate), file("ssl_key_file", &key)];
        let mut server = Self::start_with(&["ssl=on", &settings[0], &settings[1]]).await;
        server.tls_dir = Some(own);
        server
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The database `postgres`, without TLS.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The database `postgres`, with TLS or not at all.
    pub fn tls_url(&self) -> String {
        self.url().replace("sslmode=disable", "sslmode=require")
    }

    /// Another database.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}?sslmode=disable", self.address())
    }

    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().expect("a running Postgres").pid()
    }

    /// Its log since its start.
    pub fn output(&self) -> String {
        self.process.lock().unwrap().as_ref().expect("a running Postgres").output()
    }

    /// Runs statements with `psql`; returns a line per row, with columns separated by `|`.
    pub fn run(&self, sql: &str) -> String {
        self.run_in("postgres", sql)
    }

    /// [`Self::run`] in another database.
    pub fn run_in(&self, database: &str, sql: &str) -> String {
        let output = Command::new(program("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url_of(database)])
            .output()
            .unwrap_or_else(|error| panic!("cannot start psql: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs a file with `psql`, which may include others.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn run_file(&self, path: &Path) -> Result<(), String> {
        let mut psql = Command::new(program("psql"));
        psql.args(["-Xq", "-f"]).arg(path).arg(self.url());
        let output = psql.output().unwrap_or_else(|error| panic!("cannot start psql: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// Runs statements as another role.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn try_run_as(&self, role: &str, sql: &str) -> Result<(), String> {
        let mut psql = Command::new(program("psql"));
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg(self.url_for(role));
        let output = psql.output().unwrap_or_else(|error| panic!("cannot start psql: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// The URL for another role.
    pub fn url_for(&self, role: &str) -> String {
        format!("postgres://{role}@{}/postgres?sslmode=disable", self.address())
    }

    /// `pg_dump` of a schema, by `role`, in the form that [`Self::restore`] takes.
    pub fn dump(&self, role: &str, schema: &str) -> Vec<u8> {
        let mut dump = Command::new(program("pg_dump"));
        dump.args(["--format=custom", "--schema", schema]).arg(self.url_for(role));
        let output = dump.output().unwrap_or_else(|error| panic!("cannot start pg_dump: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pg_dump: {said}");
        output.stdout
    }

    /// `pg_restore`, in one transaction, of what no longer exists.
    pub fn restore(&self, dump: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dump");
        std::fs::write(&file, dump).unwrap();
        let mut restore = Command::new(program("pg_restore"));
        restore.args(["--single-transaction", "--exit-on-error", "--dbname"]).arg(self.url());
        output(restore.arg(file));
    }

    /// Stops it like a crash: connections break, and the next start recovers.
    pub fn kill(&self) {
        stop(self.process.lock().unwrap().take().expect("a running Postgres"));
    }

    /// Starts it again on its port, with its data.
    pub async fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "Postgres still runs");
        let process = launch(self.port, self.dir.path(), &self.settings).await;
        let process = process.expect("Postgres starts again on its port");
        *self.process.lock().unwrap() = Some(process);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Ok(Some(process)) = self.process.get_mut().map(Option::take) {
            stop(process);
        }
    }
}

/// Not `kill -9`, which leaves the server's children and its shared memory behind.
fn stop(mut process: Process) {
    process.signal(Signal::QUIT);
    // It may hang.
    hang::signal_all(process.pid(), Signal::CONT);
    let begun = Instant::now();
    while process.exit_status().is_none() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `None` if the port was taken meanwhile.
async fn launch(port: u16, dir: &Path, settings: &[String]) -> Option<Process> {
    let mut command = as_postgres("postgres");
    command.arg("-D").arg(data(dir)).arg("-k").arg(dir).args(["-p", &port.to_string()]);
    // The data need not survive a crash of the machine.
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    command.args(["-c", "shared_buffers=16MB"]);
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    let mut process = Process::start_group("postgres", &mut command);
    eventually("Postgres accepts connections", async || {
        if process.exit_status().is_some() {
            assert!(process.has_printed("in use"), "{}", process.output());
            return Some(false);
        }
        // A replica accepts "read-only connections".
        process.has_printed("ready to accept").then_some(true)
    })
    .await
    .then_some(process)
}
