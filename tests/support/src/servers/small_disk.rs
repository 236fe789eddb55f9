//! A file system of a few megabytes that can be filled.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory, mounted until dropped.
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// `None`, with a message, if this user may not mount anything.
    pub fn mount(kib: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]).arg(dir.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            eprintln!("not tested: a full disk, as mounting one needs root on Linux");
        }
        is_mounted.then_some(Self { dir })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Fills it completely.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let page = [1; 4096];
        let error = loop {
            if let Err(error) = file.write_all(&page) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: open files delay the end.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
