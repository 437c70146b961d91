//! Administration: keys, and the jobs that the server runs by itself. Who may call is checked in
//! [`access`](crate::access), as for every operation.

pub(crate) mod jobs;
pub(crate) mod keys;
