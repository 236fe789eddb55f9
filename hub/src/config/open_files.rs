//! How many files, and so connections, the process may have open. Distributions start services with
//! a soft limit of 1,024 and a hard one far above: the soft one is for programs that use `select`.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where the system sets no limit, as many are assumed: what Linux grants a process by default
/// (`fs.nr_open`).
const UNLIMITED: u64 = 1024 * 1024;

/// How many files may be open.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// Raises the limit as far as the process itself may.
///
/// # Errors
/// The system refuses; the limit is what it was.
pub fn raise() -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(UNLIMITED).min(UNLIMITED);
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_to_the_hard_limit_and_again_changes_nothing() {
        let before = limit();
        raise().unwrap();
        let raised = limit();
        assert!(raised >= before);
        if let Some(hard) = getrlimit(Resource::Nofile).maximum {
            assert_eq!(raised, hard.min(UNLIMITED).max(before));
        }
        raise().unwrap();
        assert_eq!(limit(), raised);
    }
}
