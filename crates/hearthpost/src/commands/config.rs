//! `hearthpost config …`

use super::print;
use crate::cli::ConfigCommand;
use crate::exit::{Failure, Outcome};
use crate::serve;

/// Runs the command.
pub fn run(command: ConfigCommand) -> Outcome<()> {
    match command {
        ConfigCommand::Reference => print(config::reference().trim_end()),
        ConfigCommand::Check { config: file } => {
            let config = serve::read(&file)?.config;
            if let Some(files) = &config.tls {
                let pem = certs::files::read(&files.certificate, &files.key)
                    .map_err(|error| Failure::Usage(error.to_string()))?;
                world_real::tls::Identity::from_pem::<&str>(&[], &pem.chain, &pem.key)
                    .map_err(|error| Failure::Usage(error.to_string()))?;
            }
            print(&format!("{} is in order.", file.display()))
        }
    }
}
