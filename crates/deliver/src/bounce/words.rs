//! What is said of each situation: what happened, whose turn it is, the next step. `{domain}` stands for the recipient's
//! domain.

use super::situation::Situation;

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

/// The words for a situation.
pub const fn of(situation: Situation) -> Words {
    let (what, turn, next) = match situation {
        Situation::NoSuchUser => (
            "Nobody at {domain} has this address.",
            Turn::Sender,
            "Check the address for a spelling mistake, or ask the person for it another way, and send the message again.",
        ),
        Situation::Moved => (
            "The person has another address now.",
            Turn::Sender,
            "The answer below may name the new address. Send the message there.",
        ),
        Situation::MailboxDisabled => (
            "The mailbox exists, but it takes no mail at present.",
            Turn::Recipient,
            "Reach the person another way.",
        ),
        Situation::MailboxFull => (
            "The recipient's mailbox is full.",
            Turn::Recipient,
            "Tell the person another way that their mailbox is full, and send the message again when there is room.",
        ),
        Situation::TooLarge => (
            "The message is larger than the recipient's server takes.",
            Turn::Sender,
            "Send it with smaller attachments, or share the files another way.",
        ),
        Situation::NoSuchDomain => (
            "There is no domain {domain}, or it has no mail server.",
            Turn::Sender,
            "Check what stands behind the @ for a spelling mistake, and send the message again.",
        ),
        Situation::NullMx => (
            "{domain} says that it takes no mail at all.",
            Turn::Sender,
            "Look for another address of the recipient.",
        ),
        Situation::BadAddress => (
            "The server does not take this for an address.",
            Turn::Sender,
            "Check the address for a spelling mistake, and send the message again.",
        ),
        Situation::SenderRefused => (
            "The recipient's server takes no mail from your address, or cannot find its domain.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: your domain must exist in DNS and take mail itself.",
        ),
        Situation::RelayRefused => (
            "The server that was asked to take mail for {domain} does not do that for us.",
            Turn::SenderAdmin,
            "Check what stands behind the @. If it is right, show this notice to your mail administrator, who can see whose server that is.",
        ),
        Situation::Blocklisted => (
            "The recipient's server blocks the server that sent your message.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: the answer below says which list or rule it is and how to get off it.",
        ),
        Situation::Spam => (
            "The recipient's server took the message for spam.",
            Turn::Sender,
            "Word it differently, with fewer links and attachments, or ask the recipient to let you through.",
        ),
        Situation::Virus => (
            "The recipient's server says that the message carries a virus or something like it.",
            Turn::Sender,
            "Check your attachments and your computer. If the message is harmless, share the files another way.",
        ),
        Situation::NotAuthenticated => (
            "The recipient's server could not verify that the message is really from your domain.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: SPF, DKIM or DMARC of your domain must be set up or put right.",
        ),
        Situation::NoReverseName => (
            "The address of the sending server has no proper name in DNS.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: the server's address needs a PTR record that leads back to it.",
        ),
        Situation::MembersOnly => (
            "Only certain people may write to this address.",
            Turn::Recipient,
            "Ask the owner of the address or list to let you write.",
        ),
        Situation::ContentRefused => (
            "The recipient's server does not take a message with this content.",
            Turn::Sender,
            "Look at the answer below. Leaving out attachments, or sharing them another way, often helps.",
        ),
        Situation::Malformed => (
            "The recipient's server finds the message malformed.",
            Turn::Sender,
            "Send it with another mail program. If that does not help, show this notice to your mail administrator.",
        ),
        Situation::RefusedByPolicy => (
            "A rule of the recipient's server forbids the message.",
            Turn::Recipient,
            "The answer below may name the rule. Ask the recipient or their mail administrator to let you through.",
        ),
        Situation::TooMuchMail => (
            "The recipient's server took no more mail from your server for some time: it found it too much.",
            Turn::SenderAdmin,
            "Send the message again later. If it happens often, show this notice to your mail administrator.",
        ),
        Situation::Greylisted => (
            "The recipient's server asked us to come back later each time we tried.",
            Turn::Recipient,
            "Send the message again. If it happens again, reach the recipient another way: their server should have let us in.",
        ),
        Situation::Unreachable => (
            "No mail server of {domain} could be reached.",
            Turn::Recipient,
            "Check what stands behind the @. If it is right, their server is down: reach the recipient another way, and send the message again later.",
        ),
        Situation::DnsTrouble => (
            "DNS gave no usable answer about {domain}.",
            Turn::Recipient,
            "Check what stands behind the @. If it is right, the DNS of {domain} is out of order: send the message again later.",
        ),
        Situation::NoUsableServer => (
            "{domain} names no mail server that can be reached from the Internet.",
            Turn::Recipient,
            "Check what stands behind the @. If it is right, the recipient's mail administrator must put their DNS right.",
        ),
        Situation::Loop => (
            "The message goes round in circles: it comes back to a place where it has been.",
            Turn::Recipient,
            "The recipient's forwarding leads back to itself. Tell them another way.",
        ),
        Situation::NeedsUtf8 => (
            "The address, or the header of your message, has letters that the recipient's server cannot handle.",
            Turn::Sender,
            "Use an address of plain letters for yourself and for the recipient, if there is one.",
        ),
        Situation::NeedsEightBit => (
            "The message has a form that the recipient's server does not take.",
            Turn::Sender,
            "Send it with another mail program, which encodes it for older servers.",
        ),
        Situation::NeedsTls => (
            "The recipient's server takes mail only over an encrypted connection, and there was none.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator.",
        ),
        Situation::TlsAllTheWay => (
            "You asked that the message go over verified encryption all the way (REQUIRETLS), and the way to {domain} does not promise that.",
            Turn::Sender,
            "Send it without that wish if it may go without, or reach the recipient another way.",
        ),
        Situation::TlsFailed => (
            "No secure connection to the recipient's server could be made.",
            Turn::Recipient,
            "Their server's certificate or encryption is out of order. Reach the recipient another way, and send the message again later.",
        ),
        Situation::SignInNeeded => (
            "The next server asked the server that sent your message to sign in.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: the route for {domain} needs a user and a password, or another host.",
        ),
        Situation::SignInFailed => (
            "The next server did not accept the sign-in of the server that sent your message.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: the user or password of the route for {domain} is wrong.",
        ),
        Situation::ServerBusy => (
            "The recipient's server was too busy, or out of order, each time we tried.",
            Turn::Recipient,
            "Send the message again later, or reach the recipient another way.",
        ),
        Situation::ServerFull => (
            "The recipient's server has no room for mail.",
            Turn::Recipient,
            "Send the message again later, or reach the recipient another way.",
        ),
        Situation::TooManyRecipients => (
            "The recipient's server took no more recipients.",
            Turn::Sender,
            "Send the message to fewer people at once.",
        ),
        Situation::TimeOver => (
            "The time for delivering the message is over.",
            Turn::Sender,
            "If it still matters, send it again.",
        ),
        Situation::ListTrouble => (
            "The address is a list, and the recipient's server could not expand it.",
            Turn::Recipient,
            "Tell the owner of the list.",
        ),
        Situation::ServerRefusesUs => (
            "The server that {domain} names for its mail takes none from your server.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator: the answer below may say why.",
        ),
        Situation::ProtocolTrouble => (
            "The two mail servers did not understand each other.",
            Turn::SenderAdmin,
            "Show this notice to your mail administrator.",
        ),
        Situation::RefusedForGood => (
            "The recipient's server refused the message.",
            Turn::Sender,
            "The answer below may say why. If it does not, ask the recipient or their mail administrator.",
        ),
        Situation::RefusedForNow => (
            "The recipient's server did not take the message when we tried.",
            Turn::Recipient,
            "The answer below may say why. Send the message again later, or reach the recipient another way.",
        ),
    };
    Words { what, turn, next }
}
