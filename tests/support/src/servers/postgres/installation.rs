//! The installed programs of Postgres, the user that they run as, and directories for them.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// An empty cluster, made once per build directory: `initdb` takes 1 s, a copy far less.
pub(super) fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let version = output(Command::new(program("postgres")).arg("-V"));
        let version = version.split(' ').nth(2).expect("postgres (PostgreSQL) 15.1");
        let executable = std::env::current_exe().unwrap();
        // target/release/deps/the-test
        let target = executable.ancestors().nth(2).unwrap();
        let template = target.join(format!("postgres-template-{version}"));
        if !template.exists() {
            let dir = directory();
            let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"];
            let mut initdb = as_postgres("initdb");
            // Every first start writes a whole log segment: 1 MB instead of 16.
            initdb.args(options).arg("--wal-segsize=1").arg("-D").arg(data(dir.path()));
            output(&mut initdb);
            // Concurrent test programs may do the same: the first rename wins.
            let own = target.join(format!("postgres-template-{}", std::process::id()));
            copy(&data(dir.path()), &own);
            if std::fs::rename(&own, &template).is_err() {
                std::fs::remove_dir_all(&own).unwrap();
            }
        }
        template
    })
}

pub(super) fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

pub(super) fn copy(from: &Path, to: &Path) {
    output(Command::new("cp").arg("-a").args([from, to]));
}

/// An empty directory, owned by the server's user.
pub(super) fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    if let Some((user, group)) = other_user() {
        chown(dir.path(), Some(user), Some(group)).unwrap();
    }
    dir
}

pub(super) fn as_postgres(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir("/");
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// The user of the Postgres package if the test runs as root, which Postgres rejects.
pub(super) fn other_user() -> Option<(u32, u32)> {
    let id = |option| {
        let id = output(Command::new("id").args([option, "postgres"]));
        id.trim().parse().expect("the id of the user postgres")
    };
    rustix::process::geteuid().is_root().then(|| (id("-u"), id("-g")))
}

/// The program in Debian's directory of the newest version, or on PATH.
pub(super) fn program(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).map(|dir| dir.join(name));
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .collect();
    versions.sort();
    let found = versions.into_iter().rev().chain(on_path).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: apt-get install postgresql"))
}

pub(super) fn output(command: &mut Command) -> String {
    let name = format!("{:?}", command.get_program());
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
