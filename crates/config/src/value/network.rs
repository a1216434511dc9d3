//! Addresses and hosts.

use std::net::{IpAddr, SocketAddr};

use mail::address::Domain;
use toml::Spanned;
use toml::de::DeValue;

use crate::NameServer;

use super::{Value, Wrong, text_of, with_article, wrong};

/// Most name servers in a list: more are never asked.
const MOST_SERVERS: usize = 8;
/// The host of a route that asks DNS for the recipient's MX, and the name of that road as a fallback.
pub(crate) const MX: &str = "mx";

pub(super) fn addresses(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".";
    if value.as_str() == Some("off") || value.as_bool() == Some(false) {
        return Ok(Value::Addresses(Vec::new()));
    }
    list(value, EXAMPLE).map(Value::Addresses)
}

/// `address/bits`; without bits one address. Bits that do not count have to be zero, so that nobody names more than was meant.
pub(super) fn networks(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "Write it like [\"192.0.2.0/24\", \"2001:db8::/48\", \"198.51.100.7\"].";
    let read = |text: &str| match network(text) {
        Some(network) => Ok(network),
        None => wrong(format!("{text:?} is not a network"), EXAMPLE),
    };
    let networks: Result<_, _> = texts(value, EXAMPLE)?.into_iter().map(read).collect();
    networks.map(Value::Networks)
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let (number, width) = match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    };
    let bits = bits.unwrap_or(width);
    let uncounted = number.checked_shl(u32::from(bits)).unwrap_or(0);
    (bits <= width && uncounted == 0).then_some((address, bits))
}

pub(super) fn servers(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "Write it like [\"127.0.0.1:53\", \"[::1]:53\", \"localhost:5353\"].";
    let texts = texts(value, EXAMPLE)?;
    let read = |text: &&str| match NameServer::parse(text) {
        Some(server) => Ok(server),
        None => wrong(
            format!("{text:?} is not an address or a name with its port"),
            EXAMPLE,
        ),
    };
    let servers = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    match servers.len() {
        0 => wrong(
            "the list is empty".to_owned(),
            format!("{EXAMPLE} Leave it out to ask the system's name servers."),
        ),
        1..=MOST_SERVERS => Ok(Value::Servers(servers)),
        many => wrong(
            format!("these are {many} servers"),
            format!("Name at most {MOST_SERVERS}."),
        ),
    }
}

fn list(value: &DeValue<'_>, example: &str) -> Result<Vec<SocketAddr>, Wrong> {
    let read = |text: &str| match text.parse::<SocketAddr>() {
        Ok(address) => Ok(address),
        Err(_) => wrong(format!("{text:?} is not an address with its port"), example),
    };
    texts(value, example)?.into_iter().map(read).collect()
}

/// One text, or a list of them.
fn texts<'a>(value: &'a DeValue<'_>, example: &str) -> Result<Vec<&'a str>, Wrong> {
    let values: Vec<&DeValue<'_>> = match value.as_array() {
        Some(list) => list.iter().map(Spanned::get_ref).collect(),
        None => vec![value],
    };
    let text = |value: &'a DeValue<'_>| {
        value.as_str().ok_or_else(|| Wrong {
            reason: format!("this is {}, not an address with its port", with_article(value)),
            next_step: example.to_owned(),
        })
    };
    values.into_iter().map(text).collect()
}

/// An address of the wanted family that a connection can come from.
pub(super) fn source(
    value: &DeValue<'_>,
    family: &str,
    example: &str,
    fits: fn(&IpAddr) -> bool,
) -> Result<Value, Wrong> {
    let text = text_of(value, example)?;
    let next_step = format!("Write an {family} address of this machine without a port, like {example}.");
    match text.parse::<IpAddr>() {
        Ok(address) if fits(&address) && !address.is_unspecified() && !address.is_multicast() => {
            Ok(Value::Ip(address))
        }
        Ok(address) if fits(&address) => wrong(format!("nothing can be sent from {address}"), next_step),
        _ => wrong(format!("{text:?} is not an {family} address"), next_step),
    }
}

pub(super) fn next_host(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "\"smtp.example.net\"";
    let text = text_of(value, EXAMPLE)?;
    if text == MX || text.parse::<IpAddr>().is_ok() {
        return Ok(Value::Name(text.to_owned()));
    }
    match Domain::parse(text) {
        Ok(domain) if domain.literal().is_none() => Ok(Value::Name(domain.as_str().to_owned())),
        _ => wrong(
            format!("{text:?} is neither a host name nor an IP address"),
            format!(
                "Write it without a port, like {EXAMPLE}, or \"mx\" to ask DNS for each domain's own servers."
            ),
        ),
    }
}
