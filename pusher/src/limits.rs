//! Every limit of the worker, with its reason. Those of sending are in [`push::limits`], those of
//! campaigns in [`shared::limits`].

use std::time::Duration;

use shared::limits::{PUSH_JOBS_MAX, PUSH_PRUNE_MAX, PUSH_TEST_TTL_S};

/// Jobs of one claim: at 400 pushes in flight and 40 ms each, 200 users with two devices take 40
/// ms.
pub(crate) const JOBS_PER_CLAIM: usize = 200;
/// Claims under way: while the last jobs of one wait for a slow service, the next ones are sent.
pub(crate) const JOB_CLAIMS_MAX: usize = 4;
/// Time between two claims if nothing wakes the worker: wake-ups are best effort.
pub(crate) const JOB_POLL: Duration = Duration::from_secs(2);
/// Time between two settlements. A killed worker leaves as much in doubt.
pub(crate) const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// Jobs of one settlement, as the functions take them.
pub(crate) const SETTLE_MAX: usize = PUSH_JOBS_MAX;
/// Wait of a job whose credential is refused; an operator mends it meanwhile.
pub(crate) const STOP_WAIT: Duration = Duration::from_secs(60);
/// After so long, mismatches of jobs are single devices' again: an operator has mended the
/// credential, or the guard trips anew.
pub(crate) const MISMATCH_FOR: Duration = Duration::from_secs(600);
/// Longest wait of a job: quiet hours have less than a day.
pub(crate) const JOB_WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Time between two looks for campaigns and test pushes.
pub(crate) const CAMPAIGN_TICK: Duration = Duration::from_secs(1);
/// Campaigns that one worker goes through at the same time; others wait for the next look.
pub(crate) const CAMPAIGNS_MAX: usize = 32;
/// Time between two signs that a campaign is under way.
pub(crate) const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Wait of a user whose entry the functions cannot write for now.
pub(crate) const FEED_RETRY: Duration = Duration::from_secs(10);
/// Blocks of a campaign that one worker holds: 2,000 users, five times the pushes in flight.
pub(crate) const BLOCKS_MAX: usize = 4;
/// Test pushes taken in one look.
pub(crate) const TRIALS_MAX: usize = 10;
/// Seconds for which the functions can read the result of a test push.
pub(crate) const TRIAL_RESULT_TTL_S: i64 = PUSH_TEST_TTL_S;
/// Seconds for which a service keeps a test push.
pub(crate) const TRIAL_TTL_S: u64 = 60;

/// Time for one call of the functions.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// Answer of a claim: 200 notifications of 14 KiB, each with ten addresses of up to 4 KiB.
pub(crate) const CLAIM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Answer of a lookup: 500 users with ten addresses of up to 4 KiB; most have one of 300 B.
pub(crate) const ADDRESSES_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Answer of a batch of 500 notifications, which repeats them.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Other answers: a few numbers.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Wait between calls of functions that are away.
pub(crate) const FUNCTIONS_RETRY: Duration = Duration::from_secs(1);
/// Users of one lookup, as blocks have them.
pub(crate) const LOOKUP_USERS_MAX: usize = 500;

/// Addresses that wait to be removed. What does not fit is found dead again.
pub(crate) const PRUNES_MAX: usize = 10_000;
/// Addresses of one call.
pub(crate) const PRUNES_PER_CALL: usize = PUSH_PRUNE_MAX;

/// Time from the signal to the end of the process: orchestrators wait 30 s, and a push has 15 s.
pub(crate) const SHUTDOWN_DEADLINE_S: u64 = 25;
/// Wait before the subscription to wake-ups is made anew.
pub(crate) const WAKE_RETRY: Duration = Duration::from_secs(2);
