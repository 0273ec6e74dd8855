//! The values of conditions: numbers, dates, addresses and binary data.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::Offset;

/// A decimal number; nothing else of what Rust takes for one (`inf`, `nan`), and no text after it.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// A date in nanoseconds since 1970: W3C's profile of ISO 8601, or epoch seconds.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>
pub(crate) fn date(text: &str) -> Option<i128> {
    epoch(text).or_else(|| iso_8601(text))
}

fn epoch(text: &str) -> Option<i128> {
    const NANOSECONDS: i128 = 1_000_000_000;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(seconds) || !is_digits(fraction) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanoseconds = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    let total = i128::from(seconds) * NANOSECONDS + nanoseconds;
    Some(if negative { -total } else { total })
}

/// A time with its offset, a time without one (UTC), a day, a month (`2024-01`).
fn iso_8601(text: &str) -> Option<i128> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_nanosecond());
    }
    let time = match text.parse::<civil::DateTime>() {
        Ok(time) => time,
        Err(_) => month(text)?.at(0, 0, 0, 0),
    };
    Offset::UTC
        .to_timestamp(time)
        .ok()
        .map(Timestamp::as_nanosecond)
}

fn month(text: &str) -> Option<civil::Date> {
    let (year, month) = text
        .split_once('-')
        .filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    civil::Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()
}

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cidr {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl Cidr {
    /// `203.0.113.0/24`; an address alone is a range of one. Bits of the host part are ignored.
    pub(crate) fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(prefix.parse::<u32>().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let mask = mask_v4(prefix.unwrap_or(Ipv4Addr::BITS))?;
                Some(Cidr::V4 {
                    network: address.to_bits() & mask,
                    mask,
                })
            }
            IpAddr::V6(address) => {
                let mask = mask_v6(prefix.unwrap_or(Ipv6Addr::BITS))?;
                Some(Cidr::V6 {
                    network: address.to_bits() & mask,
                    mask,
                })
            }
        }
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Cidr::V4 { network, mask }, IpAddr::V4(address)) => {
                address.to_bits() & mask == network
            }
            (Cidr::V6 { network, mask }, IpAddr::V6(address)) => {
                address.to_bits() & mask == network
            }
            _ => false,
        }
    }
}

/// A shift by all the bits is an overflow, not zero: `/0` needs its own answer.
fn mask_v4(prefix: u32) -> Option<u32> {
    (prefix <= Ipv4Addr::BITS).then(|| u32::MAX.checked_shl(Ipv4Addr::BITS - prefix).unwrap_or(0))
}

fn mask_v6(prefix: u32) -> Option<u128> {
    (prefix <= Ipv6Addr::BITS).then(|| u128::MAX.checked_shl(Ipv6Addr::BITS - prefix).unwrap_or(0))
}

/// base64 in its one canonical spelling without padding, so that equal data are equal texts.
pub(crate) fn canonical_base64(text: &str) -> Option<Box<str>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let data = engine.decode(text).ok()?;
    Some(
        base64::engine::general_purpose::STANDARD_NO_PAD
            .encode(data)
            .into_boxed_str(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_documented_form() {
        #[track_caller]
        fn check(text: &str, seconds: Option<i128>) {
            assert_eq!(
                date(text),
                seconds.map(|seconds| seconds * 1_000_000_000),
                "{text}"
            );
        }
        check("2024-01-01T00:00:00Z", Some(1_704_067_200));
        check("2024-01-01T02:00:00+02:00", Some(1_704_067_200));
        check("2024-01-01T00:00:00", Some(1_704_067_200));
        check("2024-01-01T00:00Z", Some(1_704_067_200));
        check("2024-01-01", Some(1_704_067_200));
        check("2024-01", Some(1_704_067_200));
        check("1704067200", Some(1_704_067_200));
        check("-1", Some(-1));
        check("not a date", None);
        check("", None);
        check("2024-13-01", None);
        check("17040672x0", None);
        assert_eq!(date("1704067200.5"), Some(1_704_067_200_500_000_000));
        assert_eq!(
            date("2024-01-01T00:00:00.5Z"),
            Some(1_704_067_200_500_000_000)
        );
    }

    #[test]
    fn numbers_are_decimals_and_nothing_else() {
        assert_eq!(number("10.0"), Some(10.0));
        assert_eq!(number("-2"), Some(-2.0));
        assert_eq!(number("1e3"), Some(1000.0));
        for text in ["5abc", "inf", "NaN", "", " 5", "0x10", "1_000"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_of_addresses() {
        #[track_caller]
        fn check(range: &str, address: &str, expect: Option<bool>) {
            let address: IpAddr = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            assert_eq!(
                Cidr::parse(range).map(|range| range.contains(address)),
                expect,
                "{range}"
            );
        }
        check("0.0.0.0/0", "203.0.113.9", Some(true));
        check("::/0", "2001:db8::1", Some(true));
        check("::/0", "203.0.113.9", Some(false));
        check("10.1.2.3/8", "10.200.0.1", Some(true));
        check("203.0.113.9", "203.0.113.10", Some(false));
        check(
            "2001:DB8:1234:5678::/64",
            "2001:db8:1234:5678::9",
            Some(true),
        );
        check("203.0.113.0/33", "203.0.113.9", None);
        check("203.0.113.0/+8", "203.0.113.9", None);
        check("invalid-ip-addr", "203.0.113.9", None);
    }
}
