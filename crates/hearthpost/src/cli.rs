//! The command line as types.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

/// What the program prints below its help.
const AFTER_HELP: &str = "Exit codes: 0 done; 1 refused or not done, the text says why; 2 wrong arguments or settings; \
3 the server cannot be reached; 4 the store or the disk failed.";

/// A mail server that keeps what it accepted.
#[derive(Parser)]
#[command(name = "hearthpost", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// what to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Try the whole system on this machine only: own certificates, two users, a welcome message.
    Demo(DemoArgs),
    /// Run the server.
    Serve {
        /// Its settings.
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// The server's second process, which keeps the key; the server starts it.
    #[command(name = crate::keeper::COMMAND, hide = true)]
    Keeper {
        /// The server's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Hand in a message from standard input, as a user of this machine: -t -i -f ADDRESS -F NAME RECIPIENT… as programs
    /// write them. The exit codes are those of sysexits.h. Also when called by the name sendmail.
    #[command(disable_help_flag = true)]
    Sendmail {
        /// Options and recipients.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        args: Vec<OsString>,
    },
    /// Domains whose mail is ours.
    #[command(subcommand)]
    Domain(DomainCommand),
    /// The keys that sign mail: made with domains, changed while mail is on its way.
    #[command(subcommand)]
    Dkim(DkimCommand),
    /// The records in DNS that mail needs: which, and whether they are there.
    #[command(subcommand)]
    Dns(DnsCommand),
    /// People who sign in and have mailboxes.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Addresses that lead to other addresses, here or on other servers.
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Mailboxes that several people use.
    #[command(subcommand)]
    Mailbox(MailboxCommand),
    /// Accepted messages that still wait.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Who changed domains, accounts, aliases, rights in mailboxes, the queue, keys that sign, and which domains must have TLS, newest first.
    History(HistoryArgs),
    /// Take one change back, when nothing newer conflicts.
    Undo {
        /// The change, as in the history (c…).
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Have the server read its settings and certificate files again, checked first, without a restart.
    Reload(Common),
    /// What the server is doing.
    Status(Common),
    /// The life of one message, from its queue id (q…), in order; or the newest messages to and from an address. With --json the life of
    /// one message is a line for each thing that happened.
    Trace {
        /// The queue id, as in Received and in the reply to the sender, or an address.
        what: String,
        /// Of an address, at most so many messages.
        #[arg(long, default_value_t = crate::limits::TRACED, value_name = "NUMBER", value_parser = at_least_one())]
        limit: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Tell what this server finds out about something, and why.
    #[command(subcommand)]
    Check(CheckCommand),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Other domains that must have TLS, and what is known of theirs.
    #[command(subcommand)]
    Tls(TlsCommand),
    /// What is kept on disk.
    #[command(subcommand)]
    Store(StoreCommand),
    /// What is kept ready of messages, for searching and listing.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Try on this machine what the server relies on.
    #[command(subcommand, name = "self-test")]
    SelfTest(SelfTestCommand),
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Where settings are when nothing else is said.
pub const DEFAULT_CONFIG: &str = "/etc/hearthpost/hearthpost.toml";

/// Which server, and how to answer.
#[derive(Args, Clone)]
pub struct Common {
    /// The server's data directory (a demo's --dir). Without it the settings file says.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The server's settings.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Answer as JSON on one line.
    #[arg(long)]
    pub json: bool,
}

/// `hearthpost history`
#[derive(Args)]
pub struct HistoryArgs {
    /// Only of this kind.
    #[arg(long, value_parser = ["domain", "account", "alias", "mailbox", "queue", "dkim", "tls"])]
    pub noun: Option<String>,
    /// Only about this name.
    #[arg(long)]
    pub name: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one())]
    pub limit: usize,
    #[command(flatten)]
    pub common: Common,
}

/// `hearthpost demo`
#[derive(Args)]
pub struct DemoArgs {
    /// Where to keep everything. The same directory gives the same accounts, passwords and mail again.
    #[arg(long, value_name = "DIR", default_value = "hearthpost-demo")]
    pub dir: PathBuf,
    /// Print one line of JSON when every door is open, instead of the card.
    #[arg(long)]
    pub json: bool,
    /// Also make user0@ to user(N-1)@ with one password, for measuring.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub users: u32,
    /// Permit signing in without TLS, for measuring.
    #[arg(long)]
    pub insecure_auth: bool,
    /// Also open doors for POP3.
    #[arg(long)]
    pub pop3: bool,
    /// Send all mail for other servers to this one, without signing in; under TLS if it offers that.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "dns")]
    pub relay: Option<String>,
    /// Send mail for other servers by MX, as this name server says; they may be on private addresses. Mail that comes from
    /// outside must be from whom it says, as that name server says too.
    #[arg(long, value_name = "HOST:PORT")]
    pub dns: Option<String>,
    /// The port of the servers found by --dns.
    #[arg(long, value_name = "N", default_value_t = 25, requires = "dns", value_parser = clap::value_parser!(u16).range(1..))]
    pub deliver_port: u16,
    /// A PEM file with further roots that their certificates may lead to.
    #[arg(long, value_name = "FILE", requires = "dns")]
    pub extra_roots: Option<PathBuf>,
}

/// `hearthpost domain …`
#[derive(Subcommand)]
pub enum DomainCommand {
    /// Add a domain.
    Add {
        /// Its name.
        name: String,
        #[command(flatten)]
        settings: DomainArgs,
        #[command(flatten)]
        common: Common,
    },
    /// Change what is given, leave the rest.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        settings: DomainArgs,
        #[command(flatten)]
        common: Common,
    },
    /// All domains.
    List(Common),
    /// One domain.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a domain without accounts and aliases.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Domains whose addresses are those of another domain, for mail that comes and for sending.
    #[command(subcommand)]
    Alias(DomainAliasCommand),
}

/// `hearthpost domain alias …`
#[derive(Subcommand)]
pub enum DomainAliasCommand {
    /// Make NEW an alias of OLD: alice@NEW is alice@OLD. NEW is added if it is not here yet.
    Add {
        /// The domain without names of its own.
        new: String,
        /// The domain whose names it gets.
        old: String,
        #[command(flatten)]
        common: Common,
    },
    /// All domain aliases.
    List(Common),
    /// End an alias; the domain goes with it.
    Remove {
        /// The domain without names of its own.
        new: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Settings of a domain.
#[derive(Args)]
pub struct DomainArgs {
    /// What divides a name from its tag (alice+news@…), one letter of + - _ . = # or "off". New domains have +.
    #[arg(long, value_name = "LETTER", allow_hyphen_values = true)]
    pub separator: Option<String>,
    /// Who gets postmaster@ when no account or alias has that name; "first" is the domain's oldest account.
    #[arg(long, value_name = "ADDRESS")]
    pub postmaster: Option<String>,
}

/// `hearthpost dkim …`
#[derive(Subcommand)]
pub enum DkimCommand {
    /// Where each key stands, and what to do next.
    List {
        /// Only those of this domain.
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// The keys of a domain, with the records to publish.
    Show {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make keys for a domain for which none signs or waits to sign.
    Make {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make other keys for a domain. They take over once their records are seen in DNS; until then the present ones sign.
    Rotate {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
    /// End keys: they sign no more. Their records must stay for the mail that is on its way.
    Retire {
        /// The domain.
        domain: String,
        /// Only this one; without it all that sign or wait.
        #[arg(long, value_name = "SELECTOR")]
        selector: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Sign at once, though the record was not seen in DNS: for records that this server cannot see.
    SignNow {
        /// The domain.
        domain: String,
        /// Only this one; without it all that wait.
        #[arg(long, value_name = "SELECTOR")]
        selector: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Ask DNS for the records of a domain now, without waiting for the next look.
    Look {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost dns …`
#[derive(Subcommand)]
pub enum DnsCommand {
    /// The records to publish for a domain.
    Records {
        /// The domain.
        domain: String,
        /// As the text of a zone, for a name server.
        #[arg(long, conflicts_with = "json")]
        zone: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Ask DNS whether they are there, and say what to do. Exit code 0: nothing is wrong; 1: something is; 3: DNS did not answer.
    Check {
        /// The domain.
        domain: String,
        /// The name server to ask. Without it those of the settings, or of the system.
        #[arg(long, value_name = "HOST:PORT")]
        dns: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost account …`
#[derive(Subcommand)]
pub enum AccountCommand {
    /// Add an account, or many from a file.
    Add {
        /// Its main address.
        #[arg(required_unless_present = "csv", conflicts_with = "csv")]
        address: Option<String>,
        /// Read the password from standard input instead of making one.
        #[arg(long, conflicts_with = "csv")]
        password_stdin: bool,
        /// Room for its mail, like 5GiB; 0 is no limit.
        #[arg(long, value_name = "SIZE", conflicts_with = "csv")]
        quota: Option<String>,
        /// Name of the person.
        #[arg(long, conflicts_with = "csv")]
        name: Option<String>,
        /// A file with a line for each account: address,password,quota,name. All but the address may be left out.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Change what is given, leave the rest.
    Set {
        /// Its main address.
        address: String,
        /// Make a new password and print it.
        #[arg(long, conflicts_with = "password_stdin")]
        new_password: bool,
        /// Read a new password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// Room for its mail, like 5GiB; 0 is no limit.
        #[arg(long, value_name = "SIZE")]
        quota: Option<String>,
        /// Name of the person.
        #[arg(long)]
        name: Option<String>,
        /// Take mail and let it sign in again.
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Take no mail and let nobody sign in; its mail stays.
        #[arg(long)]
        disable: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Set a new password: made and printed once, or one line of standard input. Sessions that are open go on.
    Password {
        /// Its main address.
        address: String,
        /// Make one instead of reading it from standard input.
        #[arg(long)]
        generate: bool,
        #[command(flatten)]
        common: Common,
    },
    /// All accounts.
    List(Common),
    /// One account.
    Show {
        /// Its main address.
        address: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove an account with all its mail. Without --yes it only counts and shows.
    Remove {
        /// Its main address.
        address: String,
        /// Do it. Without this nothing is changed, and the exit code is 1.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// What an account may send as beside its own addresses.
    SendAs {
        /// Its main address.
        address: String,
        /// What to do.
        #[command(subcommand)]
        command: SendAsCommand,
    },
}

/// `hearthpost account send-as ADDRESS …`
#[derive(Subcommand)]
pub enum SendAsCommand {
    /// Let it send as these.
    Add {
        /// Addresses of domains here, or @example.org for all of a domain.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// What was granted.
    List(Common),
    /// Take grants back.
    Remove {
        /// As they were granted.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost alias …`
#[derive(Subcommand)]
pub enum AliasCommand {
    /// Add an alias, or many from a file. @example.org catches what nobody else has.
    ///
    /// A target on another server gets a copy of all mail to the alias: it leaves this server under a sender at the alias's
    /// domain, and reports about it find their way back to who wrote it.
    Add {
        /// Its address.
        #[arg(required_unless_present = "csv", conflicts_with = "csv")]
        address: Option<String>,
        /// Where it leads: addresses here or on other servers.
        #[arg(required_unless_present = "csv")]
        targets: Vec<String>,
        /// A file with a line for each alias: address,target,target…
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Replace where it leads.
    Set {
        /// Its address.
        address: String,
        /// Where it leads from now on.
        #[arg(required = true)]
        targets: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// All aliases.
    List(Common),
    /// One alias.
    Show {
        /// Its address.
        address: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove an alias.
    Remove {
        /// Its address.
        address: String,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost mailbox …`
#[derive(Subcommand)]
pub enum MailboxCommand {
    /// Who beside its owner may use a mailbox. Owners set the same in their mail program.
    #[command(subcommand)]
    Acl(AclCommand),
}

/// `hearthpost mailbox acl …`
#[derive(Subcommand)]
pub enum AclCommand {
    /// Who may do what with a mailbox, or with all mailboxes of an account.
    List {
        /// The owner's main address.
        address: String,
        /// The owner's name for it, like INBOX or Team/2026.
        mailbox: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Set what an account, or anyone here, may do with a mailbox. Former rights of the same end.
    Set {
        /// The owner's main address.
        address: String,
        /// The owner's name for it, like INBOX or Team/2026.
        mailbox: String,
        /// An account's main address, or anyone; with - in front the rights are taken, whoever else gives them.
        #[arg(allow_hyphen_values = true)]
        who: String,
        /// Letters: l see, r read, s mark as read, w other flags, i put in, k make mailboxes below, x delete it, t mark as deleted,
        /// e expunge, a give rights. lrs reads; lrswite works with the mail.
        rights: String,
        #[command(flatten)]
        common: Common,
    },
    /// Take an entry away.
    Remove {
        /// The owner's main address.
        address: String,
        /// The owner's name for it.
        mailbox: String,
        /// As it was set.
        #[arg(allow_hyphen_values = true)]
        who: String,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost queue …`
#[derive(Subcommand)]
pub enum QueueCommand {
    /// Who still waits, when next, and why.
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Only those who are held.
        #[arg(long)]
        held: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Who waits and has a text in id, sender, recipient or reason.
    Search {
        /// The text; upper and lower case are the same.
        text: String,
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        common: Common,
    },
    /// One message: its envelope, its recipients, and every attempt with every reply, in order.
    Show {
        /// The queue id, as in Received and in the reply to the sender.
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Try now, whatever was planned. Without --yes it only counts and shows.
    Retry(ChangeArgs),
    /// Neither try nor give up until it is released. Without --yes it only counts and shows.
    Hold(ChangeArgs),
    /// End a hold and try now. Without --yes it only counts and shows.
    Release(ChangeArgs),
    /// Remove from the queue; nobody is told. Without --yes it only counts and shows.
    Purge(ChangeArgs),
}

/// Which of those who wait are meant: everything given must fit.
#[derive(Args)]
pub struct SelectionArgs {
    /// Recipients of this message.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Envelope sender: an address, @domain, or "<>" for none.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Recipient: an address or @domain.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// The recipient's domain.
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Came at least so long ago, like "30 min", "4 h" or "5 days".
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<String>,
    /// The reason why it waits has this text in it.
    #[arg(long, value_name = "TEXT")]
    pub error: Option<String>,
    /// Submitted by this account: its address, or its id when it is gone.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
}

/// A change to those who are meant.
#[derive(Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Everybody who waits.
    #[arg(long)]
    pub all: bool,
    /// Do it. Without this nothing is changed, and the exit code is 1.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub common: Common,
}

/// `hearthpost check …`
#[derive(Subcommand)]
pub enum CheckCommand {
    /// Who a message is really from: SPF, DKIM, DMARC, ARC and the client's name, each with its evidence, and the verdict.
    Message(CheckMessageArgs),
    /// The keys that the settings name (dkim.keys), and the DNS records that other servers need of them. Those that the server made: dkim show.
    Keys {
        /// The server's settings.
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
        /// Answer as JSON on one line.
        #[arg(long)]
        json: bool,
    },
}

/// `hearthpost check message`
#[derive(Args)]
pub struct CheckMessageArgs {
    /// The message, or - for standard input.
    pub file: PathBuf,
    /// Where the connection came from.
    #[arg(long, value_name = "IP")]
    pub ip: std::net::IpAddr,
    /// What the client said in EHLO.
    #[arg(long, value_name = "NAME")]
    pub helo: String,
    /// The envelope's sender; "<>" or nothing for none.
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub mail_from: String,
    /// The name server to ask. Without it those of the settings, or of the system.
    #[arg(long, value_name = "HOST:PORT")]
    pub dns: Option<String>,
    /// A domain whose mail is ours, beside those of --config. May be given several times.
    #[arg(long, value_name = "DOMAIN")]
    pub own: Vec<String>,
    /// A domain whose ARC seals are believed, beside those of --config. May be given several times.
    #[arg(long, value_name = "DOMAIN")]
    pub trust_sealer: Vec<String>,
    /// A list of public suffixes, like /usr/share/publicsuffix/public_suffix_list.dat.
    #[arg(long, value_name = "FILE")]
    pub suffixes: Option<PathBuf>,
    /// Judge as the server of these settings would: with its domains, whom it trusts and whom it refuses (smtp.…), its name servers. Without
    /// it only the name servers of the usual settings count, where there are such.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer as JSON on one line.
    #[arg(long)]
    pub json: bool,
}

/// `hearthpost config …`
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Check a settings file and the files it names: all problems at once.
    Check {
        /// The file.
        #[arg(long = "config", value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
        /// Answer as JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// What holds: each setting's value and where it comes from.
    Show {
        /// The file.
        #[arg(long = "config", value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
        /// Answer as JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// Print the reference of all settings, in Markdown.
    Reference,
}

/// `hearthpost index …`
#[derive(Subcommand)]
pub enum IndexCommand {
    /// How much is indexed, and what it takes.
    Status(Common),
    /// Make it anew, while the server serves. Without a server, the next one does.
    Rebuild(Common),
}

/// `hearthpost tls …`
#[derive(Subcommand)]
pub enum TlsCommand {
    /// Domains that must have TLS, that are warned of, or that are proposed, and who says so.
    List(Common),
    /// All that is known of one domain: what is required, what was seen, its MTA-STS policy.
    Show {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
    /// Let mail for a domain go only under TLS with a certificate that verifies; otherwise it waits.
    Require {
        /// The domain.
        domain: String,
        /// A host that its MX records may name, *. in front for one label; may be given several times. Without it: any.
        #[arg(long, value_name = "HOST")]
        mx: Vec<String>,
        /// Any certificate will do.
        #[arg(long)]
        any_certificate: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Let mail for a domain go without TLS again, whoever said that it must not.
    Remove {
        /// The domain.
        domain: String,
        #[command(flatten)]
        common: Common,
    },
    /// What would have failed if every proposed domain had been required.
    DryRun {
        /// Over so many days, today included; a month is kept.
        #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=32))]
        days: u32,
        #[command(flatten)]
        common: Common,
    },
    /// What was seen of a domain's TLS on one day, as a report in the JSON of RFC 8460.
    Report {
        /// The domain.
        domain: String,
        /// The day in UTC, as YYYY-MM-DD, today or yesterday; without it yesterday.
        #[arg(long, value_name = "DAY")]
        day: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// `hearthpost store …`
#[derive(Subcommand)]
pub enum StoreCommand {
    /// Verify the checksums of everything that is kept.
    Check(Common),
}

/// `hearthpost self-test …`
#[derive(Subcommand)]
pub enum SelfTestCommand {
    /// Give up all rights as the server does, then try what must be refused; exit code 1 if anything is allowed.
    Sandbox(Common),
}
