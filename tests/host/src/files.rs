//! The `files` of a component: copied to a directory of its own, mounted read-only at `/`.
//!
//! Copied, as by `spin up`, not mounted in place: a change needs a restart. Rejects files outside
//! the application's directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::manifest::{Component, FileMount};

/// `None` for a component without files. `app_dir` is the manifest's directory, absolute.
pub(crate) fn copy(component: &Component, app_dir: &Path) -> anyhow::Result<Option<TempDir>> {
    if component.files.is_empty() {
        return Ok(None);
    }
    let root = tempfile::tempdir().context("cannot make a directory for files")?;
    let excluded = component.exclude_files.iter().map(|pattern| {
        glob::Pattern::new(pattern).with_context(|| format!("exclude_files {pattern:?}"))
    });
    let copier = Copier { app_dir, excluded: excluded.collect::<Result<_, _>>()? };
    for mount in &component.files {
        match mount {
            FileMount::Pattern(pattern) => copier.pattern(pattern, root.path())?,
            FileMount::Placement { source, destination } => {
                copier.placement(source, destination, root.path())?;
            }
        }
    }
    Ok(Some(root))
}

struct Copier<'a> {
    app_dir: &'a Path,
    excluded: Vec<glob::Pattern>,
}

impl Copier<'_> {
    fn pattern(&self, pattern: &str, root: &Path) -> anyhow::Result<()> {
        let path = self.app_dir.join(pattern);
        if path.is_file() {
            return self.file(&path, &root.join(pattern));
        }
        ensure!(
            !path.is_dir(),
            "files {pattern:?} is a directory: write {{ source, destination }} or a glob pattern"
        );
        ensure!(
            pattern.contains(['*', '?', '[']),
            "files {pattern:?} does not exist and is not a glob pattern"
        );
        self.glob(&path, self.app_dir, root)
    }

    fn placement(&self, source: &str, destination: &str, root: &Path) -> anyhow::Result<()> {
        let from = self.app_dir.join(source);
        let to = root.join(destination.trim_start_matches('/'));
        if from.is_dir() {
            return self.glob(&from.join("**/*"), &from, &to);
        }
        ensure!(from.is_file(), "files source {source:?} does not exist");
        self.file(&from, &to)
    }

    fn glob(&self, pattern: &Path, prefix: &Path, to: &Path) -> anyhow::Result<()> {
        let pattern = pattern.to_str().context("a file pattern is not UTF-8")?;
        std::fs::create_dir_all(to)?;
        for found in glob::glob(pattern).with_context(|| format!("files {pattern:?}"))? {
            let from: PathBuf = found?;
            if !from.is_file() {
                continue;
            }
            let Ok(in_app) = from.strip_prefix(self.app_dir) else {
                bail!("{} is outside the application directory", from.display());
            };
            if !self.excluded.iter().any(|pattern| pattern.matches_path(in_app)) {
                self.file(&from, &to.join(from.strip_prefix(prefix)?))?;
            }
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let in_app = from.strip_prefix(self.app_dir);
        let outside = |path: &Path| path.components().any(|part| part.as_os_str() == "..");
        ensure!(
            in_app.is_ok_and(|path| !outside(path)) && !outside(to),
            "{} is outside the application directory",
            from.display()
        );
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(from, to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn copied(files: &str) -> anyhow::Result<Vec<String>> {
        let app = tempfile::tempdir()?;
        for file in ["a/x.toml", "a/b/y.txt", "z.toml"] {
            let path = app.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap())?;
            std::fs::write(path, file)?;
        }
        let manifest = Manifest::parse(&format!(
            "spin_manifest_version = 2\n[application]\nname = 't'\n[[trigger.http]]\n\
             route = '/...'\ncomponent = 'c'\n[component.c]\nsource = 'c'\nfiles = {files}\n\
             exclude_files = ['**/*.txt']"
        ))?;
        let root = copy(&manifest.components["c"], app.path())?.unwrap();
        let mut found = Vec::new();
        for path in glob::glob(&format!("{}/**/*", root.path().display()))? {
            let path = path?;
            if path.is_file() {
                found.push(path.strip_prefix(root.path())?.display().to_string());
            }
        }
        Ok(found)
    }

    #[test]
    fn files_are_where_the_manifest_places_them() {
        assert_eq!(copied("['z.toml']").unwrap(), ["z.toml"]);
        assert_eq!(copied("['**/*']").unwrap(), ["a/x.toml", "z.toml"]);
        let directory = "[{ source = 'a', destination = '/conf' }]";
        assert_eq!(copied(directory).unwrap(), ["conf/x.toml"]);
        let file = "[{ source = 'a/x.toml', destination = 'r.toml' }]";
        assert_eq!(copied(file).unwrap(), ["r.toml"]);
    }

    #[test]
    fn missing_and_outside_files_are_errors() {
        let wrong = [
            "['a']",
            "['nothing.toml']",
            "['../x.toml']",
            "[{ source = '/etc/hostname', destination = 'h' }]",
            "[{ source = 'nothing', destination = 'h' }]",
            "[{ source = 'z.toml', destination = '../h' }]",
        ];
        for files in wrong {
            assert!(copied(files).is_err(), "{files}");
        }
    }
}
