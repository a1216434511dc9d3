//! A network: an address and how many of its bits count.

use std::fmt;
use std::net::IpAddr;

use crate::spf::record::same_network;

/// A network of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network around an address. More bits than an address has are all.
    pub fn new(address: IpAddr, bits: u8) -> Self {
        let all = if address.is_ipv6() { 128 } else { 32 };
        Self {
            address,
            bits: bits.min(all),
        }
    }

    /// Whether the address is in it; IPv4 inside IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        same_network(address.to_canonical(), self.address, self.bits)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network() {
        for (network, bits, address, want) in [
            ("192.0.2.0", 24, "192.0.2.77", true),
            ("192.0.2.0", 24, "192.0.3.77", false),
            ("192.0.2.1", 32, "192.0.2.1", true),
            ("192.0.2.1", 32, "192.0.2.0", false),
            ("192.0.2.0", 24, "::ffff:192.0.2.5", true),
            ("0.0.0.0", 0, "198.51.100.1", true),
            ("0.0.0.0", 0, "2001:db8::1", false),
            ("2001:db8::", 32, "2001:db8:1::5", true),
            ("2001:db8::", 128, "2001:db8::1", false),
            ("::", 0, "2001:db8::1", true),
        ] {
            let network = Network::new(network.parse().expect("an address"), bits);
            assert_eq!(
                network.contains(address.parse().expect("an address")),
                want,
                "{network} {address}"
            );
        }
    }
}
