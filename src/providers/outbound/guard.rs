//! Which addresses a call may reach. Those inside the network are refused, so that a tenant's URL
//! cannot reach what only this machine can.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not the public internet: address, length of the prefix, what it is.
static INSIDE_V4: &[([u8; 4], u32, &str)] = &[
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier (CGNAT)"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local, where clouds serve their metadata"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved for protocols"),
    ([192, 0, 2, 0], 24, "for documentation"),
    ([192, 88, 99, 0], 24, "6to4 relays"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "for benchmarks"),
    ([198, 51, 100, 0], 24, "for documentation"),
    ([203, 0, 113, 0], 24, "for documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved, or broadcast"),
];

/// The same of IPv6.
static INSIDE_V6: &[([u16; 8], u32, &str)] = &[
    ([0; 8], 96, "loopback, unspecified, or IPv4 in an old form"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "translated to IPv4 inside a network"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved for protocols, Teredo"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "for documentation"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "for documentation"),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private (unique local), where clouds serve their metadata"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// Why `address` is not the public internet; `None` where it is. What carries an IPv4 address
/// inside (mapped, 6to4, NAT64) is judged by that one.
pub(super) fn inside(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(v4) => inside_v4(v4),
        IpAddr::V6(v6) => carried(v6)
            .and_then(inside_v4)
            .or_else(|| first_match(u128::from(v6), 128, INSIDE_V6, |net| u128::from(Ipv6Addr::from(*net)))),
    }
}

fn inside_v4(address: Ipv4Addr) -> Option<&'static str> {
    first_match(u128::from(u32::from(address)), 32, INSIDE_V4, |net| {
        u128::from(u32::from(Ipv4Addr::from(*net)))
    })
}

fn first_match<N>(
    address: u128,
    bits: u32,
    table: &[(N, u32, &'static str)],
    number: impl Fn(&N) -> u128,
) -> Option<&'static str> {
    table
        .iter()
        .find(|(net, prefix, _)| (address ^ number(net)).checked_shr(bits - prefix).unwrap_or(0) == 0)
        .map(|(_, _, what)| *what)
}

/// The IPv4 address that an IPv6 one leads to: 6to4 (2002::/16) and NAT64 (64:ff9b::/96).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0x2002, high, low, ..] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_the_network_are_told_from_those_outside() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:a00:1",
            "fd00:ec2::254",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(inside(text.parse().unwrap()).is_some(), "{text} was let through");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "11.0.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(inside(text.parse().unwrap()), None, "{text}");
        }
    }
}
