//! The program: command line, wiring, order of start and stop.
//!
//! Which file to open:
//! 1. `cli.rs`: every command and option. `exit.rs`: what the exit codes mean.
//! 2. `serve.rs` and `demo/` make a [`server::Plan`]; `server.rs` runs it, from binding to the last line of the log.
//! 3. `doors.rs`: the accept loop, places for connections, panics. `serving.rs`: what stands behind each door. `services.rs`: what lies below the doors.
//! 4. `openings.rs`: which socket serves which door. `privileges.rs`: who the server is, and what it gives up. `keeper.rs`: the
//!    second process, which has the key.
//! 5. `control/`: the control socket, one file for each noun. `commands/`: the same nouns on the command line.
//!
//! Guarantees: nothing listens that was not asked for; the demo never listens beyond loopback; one process owns a data
//! directory; a panic closes one connection; SIGTERM ends the process within 10 seconds without cutting a reply in two.

mod certificate;
mod cli;
mod commands;
mod control;
mod csv;
mod demo;
mod dkim;
mod dns;
mod doors;
mod events;
mod exit;
mod files;
mod forward_key;
mod keeper;
mod limits;
mod local_door;
mod openings;
mod outward;
mod private_file;
mod privileges;
mod recent;
mod reload;
mod sendmail;
mod serve;
mod server;
mod services;
mod serving;
mod tls_shelf;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use world_real::clock::RealClock;

use crate::cli::{Cli, Command};
use crate::exit::Outcome;

fn main() -> ExitCode {
    // Cron and others run it by the name that every system has for this.
    let mut args = std::env::args_os();
    if args
        .next()
        .is_some_and(|name| Path::new(&name).file_name() == Some("sendmail".as_ref()))
    {
        return sendmail::run(&args.collect::<Vec<_>>());
    }
    let clock = Arc::new(RealClock::new());
    let Cli { command } = Cli::parse();
    if let Command::Sendmail { args } = &command {
        return match args.as_slice() {
            [only] if only == "--help" => help_of_sendmail(),
            args => sendmail::run(args),
        };
    }
    match run(command, clock) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody reads standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "hearthpost: {failure}");
            failure.code()
        }
    }
}

/// `-h` is an old option of sendmail with another meaning, so its help is not clap's to give.
fn help_of_sendmail() -> ExitCode {
    let mut command = Cli::command();
    command.build();
    let shown = command
        .find_subcommand_mut("sendmail")
        .is_some_and(|sendmail| sendmail.print_help().is_ok());
    if shown {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(command: Command, clock: Arc<RealClock>) -> Outcome<()> {
    match command {
        Command::Demo(args) => demo::run(args, clock),
        Command::Sendmail { .. } => Ok(()), // has exit codes of its own, see above
        Command::Serve { config } => serve::run(&config, clock),
        Command::Keeper { config } => keeper::run(&config),
        Command::Domain(command) => commands::domain::run(command),
        Command::Account(command) => commands::account::run(command),
        Command::Alias(command) => commands::alias::run(command),
        Command::Mailbox(command) => commands::mailbox::run(command),
        Command::Queue(command) => commands::queue::run(command),
        Command::History(args) => commands::history::run(args),
        Command::Undo { id, common } => commands::history::undo(id, &common),
        Command::Reload(common) => commands::reload::run(&common),
        Command::Status(common) => commands::status::run(&common),
        Command::Trace { what, limit, common } => commands::trace::run(&what, limit, &common),
        Command::Check(cli::CheckCommand::Message(args)) => commands::check::message(&args, &clock),
        Command::Check(cli::CheckCommand::Keys { config, json }) => commands::check::keys(&config, json),
        Command::Dkim(command) => commands::dkim::run(command),
        Command::Dns(command) => commands::dns::run(command, &clock),
        Command::Config(command) => commands::config::run(command),
        Command::Store(command) => commands::store::run(command),
        Command::Tls(command) => commands::tls::run(command),
        Command::Index(command) => commands::index::run(command),
        Command::SelfTest(cli::SelfTestCommand::Sandbox(common)) => commands::self_test::sandbox(&common),
    }
}
