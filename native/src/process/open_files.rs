//! The process's limit of open files, which bounds its connections. Distributions start services
//! with a soft limit of 1,024, meant for programs that use `select`, and a much higher hard limit.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Assumed if the system sets no limit: the Linux default per process (`fs.nr_open`).
const UNLIMITED: u64 = 1024 * 1024;

/// The number of files that may be open.
#[must_use]
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// Raises the soft limit to the hard limit.
///
/// # Errors
/// The system rejects it; the limit is unchanged.
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
