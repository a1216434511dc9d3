//! The real binary, from outside: the demo, `serve`, the command line. One test binary, so that it links once.

mod cli;
mod demo;
mod help;
mod kill;
mod serve;
