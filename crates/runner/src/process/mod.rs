//! Starts the command of a run and ends all of its processes.
