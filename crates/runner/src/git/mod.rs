//! Runs git as a program.
