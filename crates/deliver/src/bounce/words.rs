//! What is said of each situation: what happened, whose turn it is, the next step. `{domain}` stands for the recipient's
//! domain.

use super::situation::Situation;
use Situation as S;

/// Who has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// whoever wrote the message
    Sender,
    /// whoever runs the server that the message left from
    SenderAdmin,
    /// the recipient, or whoever runs their mail
    Recipient,
}

impl Turn {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sender => "yours",
            Self::SenderAdmin => "your mail administrator's",
            Self::Recipient => "the recipient's side",
        }
    }
}

/// The words for one situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// what happened
    pub what: &'static str,
    /// whose turn it is
    pub turn: Turn,
    /// what to do next
    pub next: &'static str,
}

/// The words for a situation, by what it is about.
pub const fn of(situation: Situation) -> Words {
    match situation {
        // the address
        S::NoSuchUser => sender(
            "Nobody at {domain} has this address.",
            "Check the address for a spelling mistake, or ask the person for it another way, and send the message again.",
        ),
        S::Moved => sender(
            "The person has another address now.",
            "The answer below may name the new address. Send the message there.",
        ),
        S::BadAddress => sender(
            "The server does not take this for an address.",
            "Check the address for a spelling mistake, and send the message again.",
        ),
        S::NoSuchDomain => sender(
            "There is no domain {domain}, or it has no mail server.",
            "Check what stands behind the @ for a spelling mistake, and send the message again.",
        ),
        S::NullMx => sender(
            "{domain} says that it takes no mail at all.",
            "Look for another address of the recipient.",
        ),
        S::NoUsableServer => recipient(
            "{domain} names no mail server that can be reached from the Internet.",
            "Check what stands behind the @. If it is right, the recipient's mail administrator must put their DNS right.",
        ),
        S::ListTrouble => recipient(
            "The address is a list, and the recipient's server could not expand it.",
            "Tell the owner of the list.",
        ),
        // the recipient's mailbox
        S::MailboxDisabled => recipient(
            "The mailbox exists, but it takes no mail at present.",
            "Reach the person another way.",
        ),
        S::MailboxFull => recipient(
            "The recipient's mailbox is full.",
            "Tell the person another way that their mailbox is full, and send the message again when there is room.",
        ),
        S::MembersOnly => recipient(
            "Only certain people may write to this address.",
            "Ask the owner of the address or list to let you write.",
        ),
        S::Loop => recipient(
            "The message goes round in circles: it comes back to a place where it has been.",
            "The recipient's forwarding leads back to itself. Tell them another way.",
        ),
        // the message itself
        S::TooLarge => sender(
            "The message is larger than the recipient's server takes.",
            "Send it with smaller attachments, or share the files another way.",
        ),
        S::Spam => sender(
            "The recipient's server took the message for spam.",
            "Word it differently, with fewer links and attachments, or ask the recipient to let you through.",
        ),
        S::Virus => sender(
            "The recipient's server says that the message carries a virus or something like it.",
            "Check your attachments and your computer. If the message is harmless, share the files another way.",
        ),
        S::ContentRefused => sender(
            "The recipient's server does not take a message with this content.",
            "Look at the answer below. Leaving out attachments, or sharing them another way, often helps.",
        ),
        S::Malformed => sender(
            "The recipient's server finds the message malformed.",
            "Send it with another mail program. If that does not help, show this notice to your mail administrator.",
        ),
        S::NeedsUtf8 => sender(
            "The address, or the header of your message, has letters that the recipient's server cannot handle.",
            "Use an address of plain letters for yourself and for the recipient, if there is one.",
        ),
        S::NeedsEightBit => sender(
            "The message has a form that the recipient's server does not take.",
            "Send it with another mail program, which encodes it for older servers.",
        ),
        S::TooManyRecipients => sender(
            "The recipient's server took no more recipients.",
            "Send the message to fewer people at once.",
        ),
        // what they think of the sender, or of the server it came from
        S::SenderRefused => admin(
            "The recipient's server takes no mail from your address, or cannot find its domain.",
            "Show this notice to your mail administrator: your domain must exist in DNS and take mail itself.",
        ),
        S::RelayRefused => admin(
            "The server that was asked to take mail for {domain} does not do that for us.",
            "Check what stands behind the @. If it is right, show this notice to your mail administrator, who can see whose server that is.",
        ),
        S::Blocklisted => admin(
            "The recipient's server blocks the server that sent your message.",
            "Show this notice to your mail administrator: the answer below says which list or rule it is and how to get off it.",
        ),
        S::NotAuthenticated => admin(
            "The recipient's server could not verify that the message is really from your domain.",
            "Show this notice to your mail administrator: SPF, DKIM or DMARC of your domain must be set up or put right.",
        ),
        S::NoReverseName => admin(
            "The address of the sending server has no proper name in DNS.",
            "Show this notice to your mail administrator: the server's address needs a PTR record that leads back to it.",
        ),
        S::TooMuchMail => admin(
            "The recipient's server took no more mail from your server for some time: it found it too much.",
            "Send the message again later. If it happens often, show this notice to your mail administrator.",
        ),
        S::RefusedByPolicy => recipient(
            "A rule of the recipient's server forbids the message.",
            "The answer below may name the rule. Ask the recipient or their mail administrator to let you through.",
        ),
        S::ServerRefusesUs => admin(
            "The server that {domain} names for its mail takes none from your server.",
            "Show this notice to your mail administrator: the answer below may say why.",
        ),
        S::SignInNeeded => admin(
            "The next server asked the server that sent your message to sign in.",
            "Show this notice to your mail administrator: the route for {domain} needs a user and a password, or another host.",
        ),
        S::SignInFailed => admin(
            "The next server did not accept the sign-in of the server that sent your message.",
            "Show this notice to your mail administrator: the user or password of the route for {domain} is wrong.",
        ),
        // the way there
        S::Unreachable => recipient(
            "No mail server of {domain} could be reached.",
            "Check what stands behind the @. If it is right, their server is down: reach the recipient another way, and send the message again later.",
        ),
        S::DnsTrouble => recipient(
            "DNS gave no usable answer about {domain}.",
            "Check what stands behind the @. If it is right, the DNS of {domain} is out of order: send the message again later.",
        ),
        S::NeedsTls => admin(
            "The recipient's server takes mail only over an encrypted connection, and there was none.",
            "Show this notice to your mail administrator.",
        ),
        S::TlsAllTheWay => sender(
            "You asked that the message go over verified encryption all the way (REQUIRETLS), and the way to {domain} does not promise that.",
            "Send it without that wish if it may go without, or reach the recipient another way.",
        ),
        S::TlsFailed => recipient(
            "No secure connection to the recipient's server could be made.",
            "Their server's certificate or encryption is out of order. Reach the recipient another way, and send the message again later.",
        ),
        S::ProtocolTrouble => admin(
            "The two mail servers did not understand each other.",
            "Show this notice to your mail administrator.",
        ),
        // their server, and time
        S::Greylisted => recipient(
            "The recipient's server asked us to come back later each time we tried.",
            "Send the message again. If it happens again, reach the recipient another way: their server should have let us in.",
        ),
        S::ServerBusy => recipient(
            "The recipient's server was too busy, or out of order, each time we tried.",
            "Send the message again later, or reach the recipient another way.",
        ),
        S::ServerFull => recipient(
            "The recipient's server has no room for mail.",
            "Send the message again later, or reach the recipient another way.",
        ),
        S::TimeOver => sender(
            "The time for delivering the message is over.",
            "If it still matters, send it again.",
        ),
        // nothing more is known
        S::RefusedForGood => sender(
            "The recipient's server refused the message.",
            "The answer below may say why. If it does not, ask the recipient or their mail administrator.",
        ),
        S::RefusedForNow => recipient(
            "The recipient's server did not take the message when we tried.",
            "The answer below may say why. Send the message again later, or reach the recipient another way.",
        ),
    }
}

/// It is the turn of whoever wrote the message.
const fn sender(what: &'static str, next: &'static str) -> Words {
    let turn = Turn::Sender;
    Words { what, turn, next }
}

/// It is the turn of whoever runs the server that the message left from.
const fn admin(what: &'static str, next: &'static str) -> Words {
    let turn = Turn::SenderAdmin;
    Words { what, turn, next }
}

/// It is the turn of the recipient, or of whoever runs their mail.
const fn recipient(what: &'static str, next: &'static str) -> Words {
    let turn = Turn::Recipient;
    Words { what, turn, next }
}
