//! Memory of a process from `/proc`, as its proportional share (PSS).

use std::fs;
use std::io::{self, ErrorKind};

/// Proportional set size (PSS) of a process and its children (nginx workers), in bytes.
pub fn pss(pid: u32) -> io::Result<u64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
    std::iter::once(pid).chain(children).map(pss_of_one).sum()
}

/// [`pss`] without the children.
pub(crate) fn pss_of_one(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path)?;
    parse_pss(&text)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("{path}: no Pss")))
}

fn parse_pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_file_of_proc() {
        assert_eq!(parse_pss("55..60 ---p\nRss: 12 kB\nPss:        7 kB\n"), Some(7 * 1024));
        assert_eq!(parse_pss("Pss_Dirty: 7 kB"), None);
    }
}
