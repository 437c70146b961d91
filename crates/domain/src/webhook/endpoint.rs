//! Which addresses may be called. A webhook must not reach what only the server's network reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{
    limits::{URL_BYTES_MAX, check_bytes},
    refusal::Refusal,
};

/// What the administrator and the host of the server allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether addresses inside may be called: those of this machine and of private networks.
    pub allows_private: bool,
    /// Whether URLs may begin with `http://`.
    pub allows_http: bool,
}

/// Blocks of IPv4 addresses that are not on the internet, with the length of their prefix.
const INSIDE: [([u8; 4], u32, &str); 15] = [
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "reserved"),
    ([192, 88, 99, 0], 24, "reserved"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "reserved"),
    ([198, 51, 100, 0], 24, "reserved"),
    ([203, 0, 113, 0], 24, "reserved"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// Checks a URL as far as its text tells. What its host name resolves to is checked when it is called.
pub fn check_url(text: &str, rules: Rules) -> Result<Url, Refusal> {
    check_bytes("url", Some(text), URL_BYTES_MAX)?;
    let url = Url::parse(text).map_err(|error| {
        Refusal::invalid(format!("Invalid url: {error}. Send an absolute URL: https://…"))
    })?;
    match url.scheme() {
        "https" => {}
        "http" if rules.allows_http => {}
        "http" => return Err(Refusal::invalid("url must begin with https:// on this server")),
        _ => return Err(Refusal::invalid("url must begin with https:// or http://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::invalid(
            "url must not contain a user name or a password: use a token in its path or query",
        ));
    }
    if url.fragment().is_some() {
        return Err(Refusal::invalid("url must not contain a fragment: leave out # and the rest"));
    }
    let class = match url.host() {
        Some(Host::Ipv4(address)) => inside(address.into()),
        Some(Host::Ipv6(address)) => inside(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            (name == "localhost" || name.ends_with(".localhost")).then_some("loopback")
        }
        None => return Err(Refusal::invalid("url must contain a host name")),
    };
    match class {
        Some(class) if !rules.allows_private => Err(Refusal::invalid(format!(
            "url must not lead inside: its address is {class}. The administrator can allow it with \
             --webhook-allow-private"
        ))),
        _ => Ok(url),
    }
}

/// What kind of an address it is, if it is none of the internet.
pub fn inside(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => inside_v4(address),
        IpAddr::V6(address) => inside_v6(address),
    }
}

fn inside_v4(address: Ipv4Addr) -> Option<&'static str> {
    let number = address.to_bits();
    let block = INSIDE.iter().find(|(block, length, _)| {
        let block = Ipv4Addr::from(*block).to_bits();
        (number ^ block) >> (32 - length) == 0
    });
    block.map(|(.., class)| *class)
}

fn inside_v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    let last = Ipv4Addr::from_bits(u32::from(parts[6]) << 16 | u32::from(parts[7]));
    let sixth = Ipv4Addr::from_bits(u32::from(parts[1]) << 16 | u32::from(parts[2]));
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // An IPv4 address: compatible, mapped, translated, or behind NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => inside_v4(last),
        // The prefixes of a network's own NAT64.
        [0x64, 0xff9b, 1, ..] => Some("private"),
        // 6to4 has the IPv4 address in front.
        [0x2002, ..] => inside_v4(sixth),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some("private"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("link-local"),
        [first, ..] if first & 0xffc0 == 0xfec0 => Some("private"),
        [first, ..] if first & 0xff00 == 0xff00 => Some("multicast"),
        // Teredo, ORCHID, documentation and the other special blocks.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Some("reserved"),
        // Only a part of the space is on the internet.
        [first, ..] if first & 0xe000 != 0x2000 => Some("reserved"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Rules, check_url, inside};

    #[test]
    fn addresses_inside_are_told_from_those_of_the_internet() {
        for (address, class) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.1.2.3", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "shared by a carrier"),
            ("100.127.255.255", "shared by a carrier"),
            ("169.254.169.254", "link-local"),
            ("192.0.0.170", "reserved"),
            ("198.19.0.1", "reserved"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:0:10.0.0.1", "private"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::1", "private"),
            ("2002:7f00:1::", "loopback"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "private"),
            ("ff02::1", "multicast"),
            ("2001::1", "reserved"),
            ("2001:db8::1", "reserved"),
            ("100::1", "reserved"),
            ("fd00:ec2::254", "private"),
        ] {
            assert_eq!(inside(address.parse().unwrap()), Some(class), "{address}");
        }
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::",
        ] {
            assert_eq!(inside(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn a_url_is_absolute_and_leads_outside() {
        let why = |text: &str, rules: Rules| {
            check_url(text, rules).map(drop).map_err(|refusal| refusal.to_string())
        };
        let strict = Rules::default();
        let http = Rules { allows_http: true, ..strict };
        let private = Rules { allows_private: true, ..http };
        assert_eq!(why("https://example.com/hook?token=x", strict), Ok(()));
        assert_eq!(why("http://example.com", http), Ok(()));
        assert_eq!(why("http://127.0.0.1:8080/x", private), Ok(()));
        for (text, begins) in [
            ("", "Invalid url: "),
            ("/hook", "Invalid url: "),
            ("https://", "Invalid url: "),
            ("http://example.com", "url must begin with https:// on this server"),
            ("ftp://example.com", "url must begin with https:// or http://"),
            ("javascript:alert(1)", "url must begin with https:// or http://"),
            ("https://a@example.com", "url must not contain a user name"),
            ("https://:b@example.com", "url must not contain a user name"),
            ("https://example.com/#x", "url must not contain a fragment"),
            ("https://localhost/", "url must not lead inside: its address is loopback."),
            ("https://api.localhost./", "url must not lead inside: its address is loopback."),
            ("https://2130706433/", "url must not lead inside: its address is loopback."),
            ("https://0x7f.1/", "url must not lead inside: its address is loopback."),
            ("https://[::ffff:7f00:1]/", "url must not lead inside: its address is loopback."),
            ("https://169.254.169.254/", "url must not lead inside: its address is link-local."),
        ] {
            let text_of_refusal = why(text, strict).unwrap_err();
            assert!(text_of_refusal.starts_with(begins), "{text}: {text_of_refusal}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2_029));
        assert_eq!(why(&long, strict).unwrap_err(), "url is too long: at most 2048 bytes");
    }
}
