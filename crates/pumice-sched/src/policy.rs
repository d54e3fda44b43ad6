//! The numbers a lab may choose.

use std::time::Duration;

/// How patient the lab is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For how long a job is lent to a worker since it was last heard of.
    pub lease: Duration,
    /// How much later than the end of a lease the job may be given away: what the worker's clock may go slower
    /// over a lease, and the time to kill.
    pub margin: Duration,
    /// A worker not heard of for this long is offline (LAVA: 60 s, lava-compat 6.2).
    pub offline_after: Duration,
    /// A jump of `now` greater than this means that the server did not listen: the time does not count
    /// against anybody. Ticks come more often than this.
    pub stall: Duration,
    /// How often a job that was lost with its worker is given again before it ends incomplete.
    pub repeats: u32,
    /// How often workers may hand a job back unstarted before it ends incomplete.
    pub returns: u32,
    /// For how long a worker that handed a job back does not get it again.
    pub return_pause: Duration,
    /// A job or group that waited this long and still does not fit sets aside what is free of what it needs.
    pub claim_after: Duration,
    /// How many waiting jobs or groups may set aside at once.
    pub claims: usize,
    /// What was used this long ago counts half in fair share.
    pub half_life: Duration,
    /// A job that waited this long is treated as if it had the highest priority.
    pub promote_after: Duration,
    /// How long to wait for a health check that was asked for before asking again.
    pub check_retry: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            margin: Duration::from_secs(10),
            offline_after: Duration::from_secs(60),
            stall: Duration::from_secs(5),
            repeats: 2,
            returns: 10,
            return_pause: Duration::from_secs(60),
            claim_after: Duration::from_secs(30),
            claims: 16,
            half_life: Duration::from_secs(3600),
            promote_after: Duration::from_secs(24 * 3600),
            check_retry: Duration::from_secs(30),
        }
    }
}
