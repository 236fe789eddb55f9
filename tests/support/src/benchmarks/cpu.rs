//! CPU time of processes from `/proc`: unlike elapsed time, it hardly depends on other load of the
//! machine.

use std::fs;
use std::time::Duration;

/// Fields of `/proc/<pid>/stat` after the name, which may contain spaces: `proc(5)` counts from 3.
const PARENT: usize = 4 - 3;
const USER: usize = 14 - 3;
const SYSTEM: usize = 15 - 3;
/// Those of children that have ended.
const ENDED_USER: usize = 16 - 3;
const ENDED_SYSTEM: usize = 17 - 3;

/// User and system time of processes, with all their threads and children, including new children
/// of Postgres or Spin, and children that have ended.
pub fn of_processes<const N: usize>(pids: [u32; N]) -> [Duration; N] {
    let mut sums = [0; N];
    for pid in all_pids() {
        let Some((parent, ticks)) = stat(&format!("/proc/{pid}/stat")) else { continue };
        for (at, sum) in pids.iter().zip(&mut sums) {
            if *at == pid || *at == parent {
                *sum += ticks;
            }
        }
    }
    sums.map(ticks)
}

/// The children that a process has now, whichever of its threads started them.
pub(crate) fn children(of: u32) -> Vec<u32> {
    let parent = |pid| stat(&format!("/proc/{pid}/stat")).map(|(parent, _)| parent);
    all_pids().filter(|pid| parent(*pid) == Some(of)).collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// User and system time of one thread of this process.
pub fn of_thread(tid: u32) -> Duration {
    let stat = stat(&format!("/proc/self/task/{tid}/stat"));
    ticks(stat.map_or(0, |(_, ticks)| ticks))
}

/// Parent and ticks; `None` for a process that has ended meanwhile.
fn stat(path: &str) -> Option<(u32, u64)> {
    parse(&fs::read_to_string(path).ok()?)
}

fn parse(stat: &str) -> Option<(u32, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks =
        [USER, SYSTEM, ENDED_USER, ENDED_SYSTEM].into_iter().map(number).sum::<Option<u64>>();
    Some((fields.get(PARENT)?.parse().ok()?, ticks?))
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_proc() {
        let line = "42 (a) b) S 7 42 42 0 -1 4194560 1 0 0 0 130 20 5 6 20 0 1 0 100 0 0";
        assert_eq!(parse(line), Some((7, 161)));
        assert_eq!(parse("42"), None);
    }
}
