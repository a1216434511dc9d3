//! The real binary, from outside: the demo, `serve`, the command line. One test binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic: that is a failed test"
)]

mod check;
mod cli;
mod demo;
mod dns;
mod forwards;
mod guard;
mod help;
mod history;
mod index;
mod keys;
mod kill;
mod parts;
mod privileges;
mod queue;
mod recording;
mod sending;
mod sendmail;
mod serve;
mod service;
mod sharing;
mod stories;
mod threats;
mod tls;
mod wishes;
