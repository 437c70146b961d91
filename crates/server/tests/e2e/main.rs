//! The real process: started, asked, killed and started again.

mod client;
mod command;
mod crash;
mod lease;
mod load;
mod logs;
mod server;
mod stop;
mod storm;
mod wire;
