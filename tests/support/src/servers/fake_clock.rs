//! A clock of dates that jumps, for programs that a test starts: libfaketime (Debian's package
//! `faketime`). The monotonic clock, by which programs wait, stays the system's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The clock of every program that is started with its [`environment`](FakeClock::environment).
pub struct FakeClock {
    dir: TempDir,
    library: PathBuf,
}

impl FakeClock {
    /// The system's time. `None`, with a message, if the library is not installed.
    pub fn new() -> Option<Self> {
        let library = library();
        if library.is_none() {
            eprintln!("not tested: a clock that jumps, which needs the Debian package faketime");
        }
        let clock = Self { dir: tempfile::tempdir().unwrap(), library: library? };
        clock.set_ahead(0);
        Some(clock)
    }

    /// Sets the clock ahead of the system's by seconds, or behind it.
    pub fn set_ahead(&self, seconds: i64) {
        let next = self.dir.path().join("next");
        std::fs::write(&next, format!("{seconds:+}\n")).unwrap();
        // At once: no program may read half of it.
        std::fs::rename(next, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    pub fn environment(&self) -> [(&'static str, OsString); 5] {
        // Debian's Redis has an allocator of its own, jemalloc, which asks for the time before the
        // library is ready; with libc before it, it is not used.
        let mut preloaded = OsString::from(&self.library);
        preloaded.push(" libc.so.6");
        [
            ("LD_PRELOAD", preloaded),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into()),
            // The file is read at every call, so that the clock can be set while a program runs.
            ("FAKETIME_NO_CACHE", "1".into()),
            // The name before version 0.9.10, and the one since.
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

/// The library for programs with threads, in the directory of Debian's architecture.
fn library() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?;
    let file = Path::new("faketime/libfaketimeMT.so.1");
    let mut found = architectures.flatten().map(|dir| dir.path().join(file));
    found.find(|path| path.is_file())
}
