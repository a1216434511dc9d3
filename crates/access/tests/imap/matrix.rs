//! Who may do what, for every command there is (threat case IMP-5): not signed in, the owner, a stranger, and somebody with every
//! single right, with and without `l`. Made from the one list of commands: a new one does not compile here without its entry.

use imap::command::Verb;
use imap::state::{Permit, Stage, permit};
use store::rights::Rights;

use super::support::{Client, World};

/// How a command concerns a mailbox of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It names the mailbox, and needs these rights in it.
    Named(&'static str),
    /// It is about the open mailbox, and needs these rights in it.
    Open(&'static str),
    /// It is answered with `OK`, and shows the mailbox only where these rights are.
    Shown(&'static str),
    /// It needs these rights, and without them says that there is no such thing.
    Hidden(&'static str),
    /// It leaves the open mailbox, with any rights.
    Leaves,
    /// It is about no mailbox: rights change nothing.
    Free,
    /// Nobody may do it with another's mailbox.
    Never,
    /// It is about the session alone and would end or change it; the tests of signing in have it.
    Session,
}

/// The entry of each command: `{}` stands for the mailbox, which has one message with `\Deleted` and `Sub` below it.
fn entry(verb: Verb) -> (Kind, &'static str) {
    use Kind::{Free, Hidden, Leaves, Named, Never, Open, Session, Shown};
    match verb {
        Verb::Capability => (Free, "CAPABILITY"),
        Verb::Noop => (Free, "NOOP"),
        Verb::Id => (Free, "ID NIL"),
        Verb::Enable => (Free, "ENABLE CONDSTORE"),
        Verb::Language => (Free, "LANGUAGE"),
        Verb::Namespace => (Free, "NAMESPACE"),
        Verb::Logout => (Session, "LOGOUT"),
        Verb::StartTls => (Session, "STARTTLS"),
        Verb::Authenticate => (Session, "AUTHENTICATE PLAIN"),
        Verb::Login => (Session, "LOGIN a b"),
        Verb::Idle => (Session, "IDLE"),
        Verb::Compress => (Session, "COMPRESS DEFLATE"),
        Verb::Unauthenticate => (Session, "UNAUTHENTICATE"),
        Verb::Select => (Named("lr"), "SELECT {}"),
        Verb::Examine => (Named("lr"), "EXAMINE {}"),
        Verb::Create => (Hidden("lk"), "CREATE {}/New"),
        Verb::Delete => (Named("lx"), "DELETE {}/Sub"),
        Verb::Rename => (Named("lkx"), "RENAME {}/Sub {}/Moved"),
        Verb::Subscribe => (Named("l"), "SUBSCRIBE {}"),
        Verb::Unsubscribe => (Free, "UNSUBSCRIBE {}"),
        Verb::List => (Shown("l"), "LIST \"\" {}"),
        Verb::Lsub => (Free, "LSUB \"\" {}"),
        Verb::Status => (Named("lr"), "STATUS {} (MESSAGES)"),
        Verb::Append => (Named("li"), "APPEND {} {3+}\r\nabc"),
        Verb::Replace => (Open("lrite"), "REPLACE 1 {} {3+}\r\nabc"),
        Verb::GetQuota => (Hidden("lr"), "GETQUOTA #shared/alice@example.test"),
        Verb::GetQuotaRoot => (Named("lr"), "GETQUOTAROOT {}"),
        Verb::SetQuota => (Never, "SETQUOTA #shared/alice@example.test (STORAGE 1)"),
        Verb::SetAcl => (Named("la"), "SETACL {} anyone p"),
        Verb::DeleteAcl => (Named("la"), "DELETEACL {} anyone"),
        Verb::GetAcl => (Named("la"), "GETACL {}"),
        Verb::ListRights => (Named("la"), "LISTRIGHTS {} anyone"),
        Verb::MyRights => (Named("l"), "MYRIGHTS {}"),
        Verb::GetMetadata => (Named("lr"), "GETMETADATA {} /shared/comment"),
        Verb::SetMetadata => (Named("lrw"), "SETMETADATA {} (/shared/comment \"x\")"),
        Verb::Check => (Open("lr"), "CHECK"),
        Verb::Close => (Leaves, "CLOSE"),
        Verb::Unselect => (Leaves, "UNSELECT"),
        Verb::Expunge => (Open("lre"), "EXPUNGE"),
        Verb::UidExpunge => (Open("lre"), "UID EXPUNGE 1"),
        Verb::Search => (Open("lr"), "SEARCH SUBJECT hidden"),
        Verb::Sort => (Open("lr"), "SORT (SUBJECT) UTF-8 ALL"),
        Verb::Thread => (Open("lr"), "THREAD REFERENCES UTF-8 ALL"),
        Verb::MultiSearch => (Shown("lr"), "ESEARCH IN (mailboxes {}) ALL"),
        // Who sees it and may not read it is told so: `\NoAccess` (RFC 5465 §5.9).
        Verb::Notify => (
            Shown("l"),
            "NOTIFY SET STATUS (mailboxes {} (MessageNew MessageExpunge))",
        ),
        Verb::CancelUpdate => (Open("lr"), "CANCELUPDATE \"none\""),
        Verb::ResetKey => (Never, "RESETKEY {}"),
        Verb::GenUrlAuth => (
            Never,
            "GENURLAUTH imap://bob@example.test/{};UIDVALIDITY=1/;UID=1;URLAUTH=anonymous INTERNAL",
        ),
        Verb::UrlFetch => (Free, "URLFETCH imap://bob@example.test/{}/;UID=1"),
        Verb::UidBatches => (Open("lr"), "UIDBATCHES 500"),
        Verb::Fetch => (Open("lr"), "FETCH 1 (FLAGS BODY.PEEK[])"),
        Verb::Store => (Open("lrw"), "STORE 1 +FLAGS (\\Flagged)"),
        Verb::Copy => (Open("lri"), "COPY 1 {}"),
        Verb::Move => (Open("lrite"), "MOVE 1 {}"),
    }
}

impl Kind {
    const fn is_of_the_open_mailbox(self) -> bool {
        matches!(self, Self::Open(_) | Self::Leaves)
    }

    /// How the tagged answer begins, and whether something of the mailbox may be told.
    fn wanted(self, rights: Rights) -> (&'static [&'static str], bool) {
        let has = |needed: &str| rights.has(Rights::parse(needed).expect("rights"));
        match self {
            Self::Named(needed) | Self::Open(needed) | Self::Hidden(needed) if has(needed) => (&["OK"], true),
            Self::Named(_) if !has("l") => (&["NO [NONEXISTENT]", "NO [TRYCREATE]"], false),
            Self::Named(_) | Self::Open(_) => (&["NO [NOPERM]"], false),
            Self::Hidden(_) => (&["NO [NONEXISTENT]", "NO [NOPERM]"], false),
            Self::Shown(needed) => (&["OK"], has(needed)),
            Self::Free | Self::Leaves => (&["OK"], false),
            Self::Never => (&["NO", "BAD"], false),
            Self::Session => (&[""], false),
        }
    }
}

/// Alice's mailbox of a case, as Bob calls it.
fn his(name: &str) -> String {
    format!("#shared/alice@example.test/{name}")
}

async fn make(alice: &mut Client, name: &str) {
    alice.ok(&format!("CREATE {name}/Sub")).await;
    let said = alice
        .append(
            &format!("{name} (\\Deleted)"),
            b"Subject: hidden\r\n\r\nhidden words\r\n",
        )
        .await;
    assert!(said.starts_with("OK"), "{said}");
}

async fn give(alice: &mut Client, name: &str, rights: Rights) {
    for name in [name.to_owned(), format!("{name}/Sub")] {
        alice
            .ok(&format!("SETACL {name} bob@example.test \"{rights}\""))
            .await;
    }
}

/// Every single right without and with `l`, none, all, and all but one.
fn sets() -> Vec<Rights> {
    let mut sets = vec![Rights::NONE, Rights::ALL];
    for one in Rights::ALL.each() {
        sets.extend([
            one,
            one.union(Rights::LOOKUP),
            one.union(Rights::LOOKUP).union(Rights::READ),
        ]);
        sets.push(Rights::ALL.without(one));
    }
    sets.sort_by_key(|rights| rights.bits());
    sets.dedup();
    sets
}

/// Runs one command of one person with some rights; what must be is asserted.
async fn check(alice: &mut Client, bob: &mut Client, number: usize, (verb, rights): (Verb, Rights)) {
    let (kind, command) = entry(verb);
    let name = format!("Case{number}");
    make(alice, &name).await;
    if kind.is_of_the_open_mailbox() {
        give(alice, &name, Rights::ALL).await;
        bob.ok(&format!("SELECT {}", his(&name))).await;
    }
    give(alice, &name, rights).await;
    let said = bob.run(&command.replace("{}", &his(&name))).await;
    let (starts, shows) = kind.wanted(rights);
    let tagged = said.last().expect("an answer");
    let about = format!("{} with {rights:?}: {said:?}", verb.name());
    assert!(starts.iter().any(|start| tagged.starts_with(start)), "{about}");
    if !shows {
        // Neither what is in it nor that it is there, nor what rights there are.
        let told = &said[..said.len() - 1];
        let names = |line: &&String| line.contains("hidden") || line.contains(&name);
        let echoes = matches!(verb, Verb::UrlFetch | Verb::GenUrlAuth);
        assert!(told.iter().find(names).is_none() || echoes, "{about}");
    }
    if matches!(kind, Kind::Shown(_)) {
        assert_eq!(said.iter().any(|line| line.contains(&name)), shows, "{about}");
    }
    if matches!(kind, Kind::Named(_)) && !rights.has(Rights::LOOKUP) {
        bob.ok("SELECT INBOX").await;
        let nowhere = bob.run(&command.replace("{}", &his("Nowhere"))).await;
        assert_eq!(said, nowhere, "as if it were not there: {about}");
    }
    if verb == Verb::Notify {
        bob.ok("NOTIFY NONE").await;
    }
    // SELECT may have opened it, CLOSE may have left it.
    bob.ok("SELECT INBOX").await;
    for name in ["New", "Sub", "Moved"] {
        alice.run(&format!("DELETE Case{number}/{name}")).await;
    }
    alice.ok(&format!("DELETE {name}")).await;
}

async fn all_sets(verbs: impl Iterator<Item = Verb>) {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.user("alice").await, world.user("bob").await);
    bob.ok("SELECT INBOX").await;
    let mut number = 0;
    for verb in verbs {
        for rights in sets() {
            number += 1;
            check(&mut alice, &mut bob, number, (verb, rights)).await;
        }
    }
}

fn verbs(wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = Verb> {
    Verb::ALL.into_iter().filter(move |verb| wanted(entry(*verb).0))
}

#[tokio::test]
async fn imp_5_commands_that_name_a_mailbox_need_their_rights() {
    all_sets(verbs(|kind| {
        !kind.is_of_the_open_mailbox() && kind != Kind::Session && kind != Kind::Free
    }))
    .await;
}

#[tokio::test]
async fn imp_5_commands_about_the_open_mailbox_need_their_rights_now() {
    all_sets(verbs(Kind::is_of_the_open_mailbox)).await;
}

#[tokio::test]
async fn imp_5_commands_about_no_mailbox_are_for_everybody_and_tell_nothing() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.user("alice").await, world.user("bob").await);
    for (number, verb) in verbs(|kind| kind == Kind::Free).enumerate() {
        check(&mut alice, &mut bob, number, (verb, Rights::NONE)).await;
        check(
            &mut alice,
            &mut bob,
            number,
            (verb, Rights::ALL.without(Rights::LOOKUP)),
        )
        .await;
    }
}

/// Nobody who did not sign in does more than the table of states says.
#[tokio::test]
async fn imp_5_whoever_did_not_sign_in_reaches_no_mailbox() {
    let world = World::new().await;
    for verb in Verb::ALL {
        let (kind, command) = entry(verb);
        if permit(Stage::Private, false, verb) != Permit::NeedsSignIn {
            assert!(matches!(kind, Kind::Session | Kind::Free), "{}", verb.name());
            continue;
        }
        let mut guest = world.secure().await;
        let command = command.replace("{}", "INBOX");
        guest.send(format!("g {command}\r\n").as_bytes()).await;
        let said = guest.line().await;
        assert!(said.starts_with("g BAD"), "{}: {said}", verb.name());
    }
}

/// The owner may do everything, whatever the entries say.
#[tokio::test]
async fn imp_5_the_owner_may_do_everything() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    let owned = verbs(|kind| !matches!(kind, Kind::Session | Kind::Never | Kind::Free));
    for (number, verb) in owned.enumerate() {
        let (kind, command) = entry(verb);
        let name = format!("Case{number}");
        make(&mut alice, &name).await;
        alice.ok(&format!("SETACL {name} -anyone lrswipkxtea")).await;
        if kind.is_of_the_open_mailbox() {
            alice.ok(&format!("SELECT {name}")).await;
        }
        let command = command
            .replace("{}", &name)
            .replace("#shared/alice@example.test", "mail");
        alice.ok(&command).await;
        alice.ok("SELECT INBOX").await;
    }
}
