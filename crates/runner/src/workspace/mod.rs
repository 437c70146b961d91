//! The work trees in which agents work.
